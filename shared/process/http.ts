/**
 * Node's HTTP. An `import` of node:http touches all that it exports, WebSocket among it, and so loads the
 * whole of undici: a tenth of a worker's start and 13 MB of its memory.
 */
export const http = process.getBuiltinModule("node:http");
