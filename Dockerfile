# One image for each engine, with only that engine inside:
#   docker build --build-arg NAME=activities --tag tl-engine-activities .
# and one with what a deploy runs once, the topology and the migrations of all engines:
#   docker build --build-arg KIND=tools --tag tl-engine-tools .
# `make images` builds and checks all of them. It needs BuildKit (Docker 23 or newer, or buildx).

# engine | tools
ARG KIND=engine

# The one thing from outside, pinned to the patch release and to its digest, the index's of all platforms: a tag
# is built anew when Debian mends something. `make pin-images` writes what it means now. What runs is copied
# out of it, so that the Node that compiled the cache below is to the byte the Node that reads it.
FROM node:24.21.0-trixie-slim@sha256:8ec5d7557396cfe32d21c3f9c13072355ceab22b584578ca4bb28af31120cffe AS base
WORKDIR /app
ENV NODE_ENV=production

# Of the system: Node, the libraries that it is linked with, a user. Their packages' records stay with
# them, where scanners look for known vulnerabilities (as in distroless images).
FROM base AS system
RUN set -eu; \
    mkdir -p /system/etc /system/usr/local/bin /system/var/lib/dpkg/status.d; \
    cp /usr/local/bin/node /system/usr/local/bin/; \
    for library in $(ldd /usr/local/bin/node | grep -o '/[^ ]*'); do \
      cp -L --parents "$library" /system; \
      package=$(dpkg -S "$(realpath "$library")" | sed 's/:.*//'); \
      dpkg -s "$package" >"/system/var/lib/dpkg/status.d/$package"; \
      cp --parents "/usr/share/doc/$package/copyright" /system; \
    done; \
    cp /etc/os-release /system/etc/; \
    echo 'nonroot:x:65532:65532:nonroot:/app:/sbin/nologin' >/system/etc/passwd; \
    echo 'nonroot:x:65532:' >/system/etc/group; \
    echo 'hosts: files dns' >/system/etc/nsswitch.conf

FROM base AS engine-sources
ARG NAME
RUN test -n "$NAME" || { echo "Give --build-arg NAME=<engine>, or KIND=tools." >&2; exit 1; }
COPY package.json package-lock.json ./
COPY shared shared
COPY workers/${NAME} workers/${NAME}
# A command can't hold a build argument, so it names this link.
RUN ln -s "workers/$NAME" engine

FROM base AS tools-sources
COPY package.json package-lock.json ./
COPY shared shared
COPY workers workers
COPY scripts/workers.ts scripts/
COPY scripts/operate/dot-env.ts scripts/operate/environment.ts scripts/operate/migrate.ts scripts/operate/topology.ts scripts/operate/
COPY scripts/show/closed-pipe.ts scripts/show/
COPY scripts/show/terminal/printable.ts scripts/show/terminal/

# The bundler alone, from the lock file: nothing of it gets into what runs.
FROM base AS bundler
WORKDIR /bundler
COPY package.json package-lock.json ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=secret,id=certificates \
    --mount=type=cache,target=/root/.npm,sharing=locked \
    set -eu; \
    if [ -e /run/secrets/certificates ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/certificates; fi; \
    npm ci --include=dev --workspaces=false --ignore-scripts --no-audit --no-fund
COPY scripts/images/bundle.ts ./

FROM ${KIND}-sources AS built
# The machine's own npm settings and certificates, where there are any, leave no trace in the image.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=secret,id=certificates \
    --mount=type=cache,target=/root/.npm,sharing=locked \
    set -eu; \
    if [ -e /run/secrets/certificates ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/certificates; fi; \
    npm ci --omit=dev --ignore-scripts --no-audit --no-fund $(printf -- '--workspace %s ' workers/*)
# The manifest says from here on what is installed; npm takes packages that are also development
# dependencies for those only.
COPY scripts/images/sbom.ts /build/
COPY --from=system /system/var/lib/dpkg/status.d /build/packages
RUN npm pkg delete devDependencies && \
    npm sbom --sbom-format cyclonedx --omit dev | node /build/sbom.ts /build/packages >sbom.json && \
    rm node_modules/.package-lock.json package-lock.json
# The engine and what it imports in a few files, beside the sources, which the stacks in the log name.
RUN --mount=from=bundler,source=/bundler,target=/bundler \
    if [ -e engine ]; then node /bundler/bundle.ts "$(readlink engine)/index.ts"; fi
# Node's compile cache holds what runs, stripped of types and compiled. Node finds it again only as the
# user and under the path that it was made with; it is then root's, so that nothing that runs can change it.
COPY scripts/images/warm-up.ts /build/
ENV NODE_COMPILE_CACHE=/app/compile-cache
RUN mkdir "$NODE_COMPILE_CACHE" && chown 65532 "$NODE_COMPILE_CACHE"
USER 65532:65532
RUN node /build/warm-up.ts
USER root
RUN chown -R 0:0 "$NODE_COMPILE_CACHE" && chmod -R u=rwX,go=rX "$NODE_COMPILE_CACHE"

FROM scratch AS image
COPY --from=system /system /
COPY --from=built /app /app
WORKDIR /app
ENV PATH=/usr/local/bin NODE_ENV=production NODE_COMPILE_CACHE=/app/compile-cache
# A number, since Kubernetes can't tell from a name whether a user is root.
USER 65532:65532
LABEL org.opencontainers.image.licenses=MIT org.opencontainers.image.vendor=tiendaleon
# Node itself is process 1 and hears SIGTERM.
ENTRYPOINT ["/usr/local/bin/node"]

FROM image AS tools
CMD ["scripts/operate/topology.ts"]

FROM image AS engine
# /healthz, /readyz, /metrics
EXPOSE 9090
CMD ["--min-semi-space-size=32", "--max-semi-space-size=32", "shared/main.js", "engine/index.js"]

FROM ${KIND}
