/** The AsyncAPI document is one by AsyncAPI's own schema, its references lead somewhere, and its examples fit. */
import specs from "@asyncapi/specs";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { faultsIn } from "../../../shared/testing/schema-faults.ts";
import { loadWorkers } from "../../workers.ts";
import { engineContract } from "../contract.ts";
import { asyncapiDocument } from "./asyncapi.ts";
import { schemaObjects } from "./schema-objects.ts";

const engines = (await loadWorkers())
  .map(({ definition }) => engineContract(definition))
  .filter((engine) => engine !== undefined);

interface Message {
  name: string;
  headers: object;
  payload: object;
  examples?: { summary: string; headers: unknown; payload: unknown }[];
}
interface Channel {
  messages: Record<string, { $ref: string }>;
}
interface Operation {
  action: string;
  channel: { $ref: string };
  messages: { $ref: string }[];
  reply?: { channel: { $ref: string }; messages: { $ref: string }[] };
}
interface AsyncApi {
  channels: Record<string, Channel>;
  operations: Record<string, Operation>;
  components: { messages: Record<string, Message>; schemas: Record<string, object> };
}

const document = asyncapiDocument(engines) as unknown as AsyncApi;
const { messages, schemas } = document.components;

function validatorOf(schema: object): ValidateFunction {
  // Meta-schemas of AsyncAPI have keywords that ajv does not know.
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  return ajv.compile(schema);
}

const isAsyncApi = validatorOf(specs.schemasWithoutId["3.0.0"]);

const compiled = new Map<object, ValidateFunction>();

/** What is wrong with a value, by a schema of the document. */
function faultsBy(schema: object, value: unknown): string[] {
  const validate = compiled.get(schema) ?? validatorByDocument(schema);
  compiled.set(schema, validate);
  return validate(value) ? [] : (validate.errors ?? []).map((error) => JSON.stringify(error));
}

function validatorByDocument(schema: object): ValidateFunction {
  const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false });
  addFormats.default(ajv);
  // References begin at the document's root, of which ajv is to know nothing more.
  ajv.addVocabulary(["components"]);
  return ajv.compile({ ...schema, components: { schemas } });
}
const faultsOfPayload = ({ payload }: Message, value: unknown) => faultsBy(payload, value);

test("AsyncAPI's own schema of 3.0.0 takes it", () => {
  expect(isAsyncApi(document) ? [] : isAsyncApi.errors).toEqual([]);
});

test("and does not take it with a wrong binding, action or version", () => {
  const channel = Object.keys(document.channels)[0] as string;
  const wrong = [
    { ...document, asyncapi: "3.0" },
    { ...document, channels: { [channel]: { address: 7 } } },
    { ...document, operations: { x: { action: "publish", channel: { $ref: "#/channels/x" } } } },
    { ...document, channels: { [channel]: { bindings: { amqp: { is: "topic" } } } } },
  ];
  for (const one of wrong) expect(isAsyncApi(one)).toBe(false);
});

/** Every `$ref` of a value. */
function refsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    key === "$ref" && typeof part === "string" ? [part] : refsIn(part),
  );
}

function at(pointer: string): unknown {
  const keys = pointer.slice(2).split("/");
  return keys.reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | undefined)?.[key],
    document,
  );
}

test("every reference leads somewhere", () => {
  const refs = refsIn(document);
  expect(refs.length).toBeGreaterThan(50);
  expect(refs.filter((ref) => !ref.startsWith("#/") || at(ref) === undefined)).toEqual([]);
});

test("an operation's messages and replies are its channels' own", () => {
  for (const { channel, messages: own, reply } of Object.values(document.operations)) {
    for (const { $ref } of own) expect($ref.startsWith(`${channel.$ref}/messages/`)).toBe(true);
    for (const { $ref } of reply?.messages ?? [])
      expect($ref.startsWith(`${reply?.channel.$ref}/messages/`)).toBe(true);
  }
});

test("each action has a job in both lanes, a result and an error; each event a channel", () => {
  for (const { engine, actions, events } of engines) {
    for (const { type } of Object.values(actions)) {
      for (const lane of ["", ".bulk"])
        expect(document.channels[`jobs.${engine}${lane}`]?.messages).toHaveProperty([type]);
      expect(document.operations).toHaveProperty([`${type}.bulk`, "reply", "address"]);
      for (const name of [type, `${type}.result`, `${type}.error`])
        expect(messages[name]?.name).toBe(name);
    }
    for (const type of Object.keys(events))
      expect(document.channels[`events.${type}`]?.messages).toHaveProperty([type]);
  }
});

const examples = Object.values(messages).flatMap((message) =>
  (message.examples ?? []).map((example) => ({ ...example, name: message.name, message })),
);

/** All of whose fields may be absent. */
const NEEDS_NOTHING = new Set(["notifications.resubscribe.v1", "scheduler.list.v1"]);

describe("examples", () => {
  test("there is one of each job and of each error", () => {
    const named = new Set(examples.map(({ name }) => name));
    const missing = Object.keys(messages).filter(
      (name) => /\.v\d+(\.error)?$/.test(name) && !named.has(name),
    );
    expect(missing).toEqual([]);
  });

  test.each(examples)("$name: $summary", ({ message, headers, payload }) => {
    expect(faultsOfPayload(message, payload)).toEqual([]);
    expect(faultsBy(message.headers, headers)).toEqual([]);
  });

  test.each(examples)("$name, spoilt: $summary", ({ message }) => {
    for (const payload of [null, 7, "text", ...(NEEDS_NOTHING.has(message.name) ? [] : [{}])])
      expect(faultsOfPayload(message, payload)).not.toEqual([]);
    expect(faultsBy(message.headers, { "x-deadline": "soon", "x-attempt": "first" })).not.toEqual(
      [],
    );
  });
});

test("a job must not carry the engines' own headers, nor what would redirect it", () => {
  const job = Object.values(messages).find(({ name }) => /\.v\d+$/.test(name));
  const headers = job?.headers ?? {};
  for (const name of ["x-replay", "CC", "x-dead-letter-exchange"])
    expect(faultsBy(headers, { [name]: 1 })).not.toEqual([]);
  expect(faultsBy(headers, { "x-deadline": 1, "my-own": 1 })).toEqual([]);
});

test("a definition moves among the components, and what stood beside a reference still counts", () => {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    properties: {
      $ref: { type: "string" },
      a: { $ref: "#/$defs/A", minLength: 3 },
      b: { const: { $ref: "#/$defs/A" } },
    },
    $defs: { A: { type: "string", enum: ["x", "long"] } },
  } as const;
  const moved = schemaObjects("e.a.v1.input", schema as never);
  expect(moved["e.a.v1.input.A"]).toEqual({ type: "string", enum: ["x", "long"] });
  expect(moved["e.a.v1.input"]?.properties).toEqual({
    $ref: { type: "string" },
    a: { allOf: [{ $ref: "#/components/schemas/e.a.v1.input.A" }], minLength: 3 },
    b: { const: { $ref: "#/$defs/A" } },
  });
  expect(() => schemaObjects("x", { $ref: "other.json#/a" } as never)).toThrow(/can be moved/);
});

test("a moved schema refuses what the engine's own refuses", () => {
  for (const { actions } of engines)
    for (const { type, input, examples: own } of Object.values(actions))
      for (const { input: sent } of own)
        for (const key of Object.keys(sent as object)) {
          const { [key]: _, ...others } = sent as Record<string, unknown>;
          const message = messages[type] as Message;
          for (const body of [others, { ...others, [key]: [[]] }])
            expect(faultsOfPayload(message, body).length > 0).toBe(
              faultsIn(input, body).length > 0,
            );
        }
});
