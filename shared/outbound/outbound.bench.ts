/**
 * The guard beside bare undici, in one run against one server. Run by hand; it needs no services. Deliveries are
 * a POST of 2 kB, 64 in flight, over kept connections; pages are 200 GETs of 50 kB at once, over new ones.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { performance } from "node:perf_hooks";
import { Agent } from "undici";
import { createOutbound } from "./index.ts";

const ROUNDS = 15;
const DELIVERIES = 2_000;
const IN_FLIGHT = 64;
const PAGES = 200;
const HOOK = JSON.stringify({ text: "x".repeat(2_000) });
const PAGE = `<html><head><title>A</title></head>${"<p>text</p>".repeat(4_500)}</html>`;

if (process.send) serve(process.send.bind(process));
else await compare();

function serve(send: (message: number) => void): void {
  const server = createServer((request, response) => {
    request.resume();
    if (request.method === "POST") response.end("ok");
    else response.end(PAGE);
  });
  server.listen(0, "127.0.0.1", 1_024, () => send((server.address() as AddressInfo).port));
}

interface Client {
  post(url: string): Promise<void>;
  get(url: string): Promise<void>;
  close(): Promise<void>;
}

function bare(): Client {
  const agent = new Agent({ connections: IN_FLIGHT, pipelining: 1 });
  const ask = async (url: string, method: "GET" | "POST", body: string | null) => {
    const { origin, pathname: path } = new URL(url);
    const { body: answer } = await agent.request({ origin, path, method, body });
    await answer.bytes();
  };
  return {
    post: (url) => ask(url, "POST", HOOK),
    get: (url) => ask(url, "GET", null),
    close: () => agent.close(),
  };
}

function guarded(): Client {
  const outbound = createOutbound({ allow: ["127.0.0.1:*"], maxConnectionsPerHost: IN_FLIGHT });
  return {
    async post(url) {
      await (await outbound.request({ url, method: "POST", body: HOOK })).bytes();
    },
    async get(url) {
      await (await outbound.request({ url, maxRedirects: 5 })).bytes();
    },
    close: () => outbound.close(),
  };
}

async function deliveries(client: Client, url: string): Promise<number> {
  let left = DELIVERIES;
  const lane = async () => {
    while (left-- > 0) await client.post(url);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return DELIVERIES / ((performance.now() - start) / 1_000);
}

async function pages(client: Client, url: string): Promise<number> {
  const start = performance.now();
  await Promise.all(Array.from({ length: PAGES }, () => client.get(url)));
  return performance.now() - start;
}

function best(figures: number[], pick: (...all: number[]) => number): number {
  return Math.round(pick(...figures) * 10) / 10;
}

async function compare(): Promise<void> {
  const server = fork(import.meta.filename);
  const [port] = (await once(server, "message")) as [number];
  const url = `http://127.0.0.1:${port}/`;
  const makers = { bare, guarded };
  const rates = { bare: [] as number[], guarded: [] as number[] };
  const times = { bare: [] as number[], guarded: [] as number[] };
  const busy = { bare: [] as number[], guarded: [] as number[] };
  // In turns, as other programs slow down one round and not the next.
  for (let round = 0; round < ROUNDS; round += 1)
    for (const name of ["bare", "guarded"] as const) {
      const kept = makers[name]();
      await deliveries(kept, url);
      rates[name].push(await deliveries(kept, url));
      await kept.close();
      const fresh = makers[name]();
      const before = process.cpuUsage();
      times[name].push(await pages(fresh, url));
      const { user, system } = process.cpuUsage(before);
      busy[name].push((user + system) / 1_000);
      await fresh.close();
    }
  server.kill();
  const rate = { bare: best(rates.bare, Math.max), guarded: best(rates.guarded, Math.max) };
  const time = { bare: best(times.bare, Math.min), guarded: best(times.guarded, Math.min) };
  console.log(
    `deliveries/s: bare=${rate.bare} guarded=${rate.guarded} ratio=${(rate.bare / rate.guarded).toFixed(2)}`,
  );
  const cpu = { bare: best(busy.bare, Math.min), guarded: best(busy.guarded, Math.min) };
  console.log(
    `${PAGES} pages at once, ms of CPU: bare=${cpu.bare} guarded=${cpu.guarded} ratio=${(cpu.guarded / cpu.bare).toFixed(2)}`,
  );
  console.log(
    `${PAGES} pages at once, ms: bare=${time.bare} guarded=${time.guarded} ratio=${(time.guarded / time.bare).toFixed(2)}`,
  );
}
