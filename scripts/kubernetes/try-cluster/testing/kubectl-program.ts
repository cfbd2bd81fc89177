/** A program called `kubectl` that asks the stand-in, and passes on a port as the real one does until it is ended. */

/** CommonJS, since it runs outside of any package. @param port of the stand-in. */
export const kubectlProgram = (port: number) => `#!${process.execPath}
const net = require("node:net");
const { readFileSync } = require("node:fs");
const args = process.argv.slice(2);
const input = args.at(-1) === "-" ? readFileSync(0, "utf8") : "";
function listen({ localPort, port, host, targetPort }) {
  const server = net.createServer((socket) => {
    const target = net.connect(targetPort, host);
    socket.pipe(target).pipe(socket);
    for (const one of [socket, target]) one.on("error", () => { socket.destroy(); target.destroy(); });
  });
  server.on("error", ({ message }) => { console.error(message); process.exit(1); });
  server.listen(localPort, "127.0.0.1", () =>
    console.log("Forwarding from 127.0.0.1:" + server.address().port + " -> " + port));
}
fetch("http://127.0.0.1:${port}", { method: "POST", body: JSON.stringify({ args, input, pid: process.pid }) })
  .then((answer) => answer.json())
  .then(({ stdout, stderr, status, forward }) => {
    process.stderr.write(stderr);
    process.stdout.write(stdout);
    process.exitCode = status;
    if (forward) listen(forward);
  });
`;
