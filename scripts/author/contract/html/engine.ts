/** An engine's part of the page: its limits, and for each action examples and a table of every field. */
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Action, WorkerDefinition } from "../../../../shared/engine/define-worker.ts";
import {
  inputSchema,
  type JsonSchema,
  outputSchema,
} from "../../../../shared/engine/published-schema.ts";
import type { ActionContract, EngineContract } from "../../contract.ts";
import { eventsOf } from "../engine-page.ts";
import { fieldRows, type Row } from "../field-rows.ts";
import { duration, size } from "../readme.ts";
import { asJson, asPython, asTypeScript, block, type Tab, tabs } from "./code.ts";
import { type Html, heading, html, idOf, words } from "./html.ts";

export function engineSection(contract: EngineContract, definition: WorkerDefinition): Html {
  const { engine, timeoutMs, maxAttempts, longestReplyMs } = contract;
  return html`<section>
${heading(2, idOf(engine), html`Engine <code>${engine}</code>`)}
<ul class="facts"><li>one run takes at most <b>${duration(timeoutMs)}</b></li><li>at most <b>${maxAttempts}</b> counted runs</li><li>final reply within <b>${duration(longestReplyMs)}</b></li><li>no order</li></ul>
${Object.entries(contract.actions).map(([name, facts]) =>
  actionPart(engine, name, facts, definition.actions[name] as Action),
)}</section>
`;
}

function actionPart(engine: string, name: string, facts: ActionContract, action: Action): Html {
  const id = idOf(engine, name);
  const input = inputSchema(action.input, "types");
  const announces = facts.emits.map(
    (type, index) =>
      html`${index > 0 && ", "}<a href="#${idOf("event", type)}"><code>${type}</code></a>`,
  );
  return html`<article>
${heading(3, id, name)}
<ul class="facts"><li><code>type</code> <b><code>${facts.type}</code></b></li><li>routing key <b><code>${engine}</code></b> or <b><code>${engine}.bulk</code></b></li><li>input at most <b>${size(facts.maxInputBytes)}</b>, output at most <b>${size(facts.maxOutputBytes)}</b></li>${announces.length > 0 && html`<li>announces ${announces}</li>`}</ul>
${heading(4, `${id}-examples`, facts.examples.length > 1 ? "Examples" : "Example")}
${facts.examples.map(({ title, input: sent }, index) =>
  tabs(`${id}-example${index + 1}`, title, [
    { name: "JSON", content: block(asJson(sent), `${title} JSON`) },
    { name: "Python", content: block(asPython(engine, facts.type, sent), `${title} Python`) },
    typescriptTab(engine, name, title, typedInput(action, input, sent)),
  ]),
)}
${heading(4, `${id}-input`, "Input")}
<p>${spellingsNote(input, outputSchema(action.output))}</p>
${fieldTable(fieldRows(input), true)}
${heading(4, `${id}-output`, "Output")}
${fieldTable(fieldRows(outputSchema(action.output)), false)}
</article>
`;
}

/** An input as the client's types want it: as the engine reads it, without what is so by default. */
function typedInput({ input }: Action, schema: JsonSchema, sent: unknown): object | undefined {
  const read = (value: unknown) => JSON.stringify(input.safeParse(value).data);
  const whole = read(sent);
  if (whole === undefined) return undefined;
  const typed = JSON.parse(whole) as Record<string, unknown>;
  for (const key of Object.keys(typed)) {
    const { [key]: _, ...others } = typed;
    if (read(others) === whole) delete typed[key];
  }
  const isTyped = new Ajv2020({ strict: false, validateFormats: false }).validate(schema, typed);
  return isTyped && read(typed) === whole ? typed : undefined;
}

const typescriptTab = (engine: string, name: string, title: string, typed?: object): Tab => ({
  name: "TypeScript",
  content: typed
    ? block(asTypeScript(engine, name, typed), `${title} TypeScript`)
    : html`<p class="note">The client’s types know the preferred spellings alone: write this one as the <a href="#${idOf(engine, name, "input")}">table of fields</a> has it.</p>`,
});

/** Where the output has no warnings nobody is told of a key that is misspelt. */
const spellingsNote = (input: JsonSchema, output: JsonSchema) =>
  JSON.stringify(input).includes('"spellings":')
    ? `Of several spellings of a key the first with a value counts. Null stands for absent. Unknown keys are ignored${hasWarnings(output) ? ", and one that is a single edit away from a known one is a warning in the output" : ""}.`
    : "Keys are spelled as here; unknown ones are ignored.";

const hasWarnings = ({ properties = {} }: JsonSchema) => Object.hasOwn(properties, "warnings");

/** The last name stands out; a path may break at its points. */
function path(text: string): Html {
  const at = text.lastIndexOf(".") + 1;
  const above = text.slice(0, at).split(/(?<=\.)/);
  return html`<code>${at > 0 && html`<span class="above">${above.map((part) => html`${part}<wbr>`)}</span>`}<b>${text.slice(at)}</b></code>`;
}

const rowOf = ({ path: at, also, type, isRequired, description, values, bounds }: Row): Html =>
  html`<tr><th scope="row">${path(at)}${isRequired && html` <span class="tag must">required</span>`}${also.length > 0 && html`<span class="also">also ${also.map((name) => html`<code>${name}</code> `)}</span>`}</th><td class="type">${type}${bounds.length > 0 && html`<span class="bounds">${bounds.join(", ")}</span>`}</td><td>${words(description)}${values.length > 0 && html`<details class="values"><summary>${values.length} values</summary>${values.map((value) => html`<code>${JSON.stringify(value)}</code> `)}</details>`}</td></tr>
`;

const fieldTable = (rows: Row[], isInput: boolean): Html =>
  html`<table class="fields"><thead><tr><th scope="col">Field</th><th scope="col">Type</th><th scope="col">${isInput ? "What it is" : "What it says"}</th></tr></thead>
<tbody>${rows.map(rowOf)}</tbody></table>`;

export const eventSections = ({ engine }: EngineContract, { actions }: WorkerDefinition): Html[] =>
  eventsOf(actions).map(
    ([type, schema]) => html`<article>
${heading(3, idOf("event", type), html`<code>${type}</code>`)}
<p>Announced by <a href="#${idOf(engine)}"><code>${engine}</code></a> when its result commits.</p>
${fieldTable(fieldRows(outputSchema(schema)), false)}
</article>
`,
  );
