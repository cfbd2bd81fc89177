/** What we use of zod beyond its documentation: where it imports its languages. Its version is pinned, and a test looks. */
import { registerHooks } from "node:module";

/**
 * zod brings the messages of sixty languages, which no `import` can leave out: a tenth of a worker's start
 * and 10 MB of its memory. Here it finds English alone; who wants another imports `zod/locales`.
 * @returns ends it, once zod was imported.
 */
export function withoutLocales(): () => void {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "../locales/index.js" && context.parentURL?.includes("/node_modules/zod/")
        ? next("../locales/en.js", context)
        : next(specifier, context),
  });
  return () => hooks.deregister();
}
