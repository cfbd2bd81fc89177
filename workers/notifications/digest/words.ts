/** What a digest says, in Spanish and in English. */

export type Locale = "es" | "en";

/** Spanish for all that is none of English: the first users speak it. */
export const localeOf = (tag: string | null | undefined): Locale =>
  /^en\b/i.test(tag ?? "") ? "en" : "es";

const FIELDS = {
  state: ["Estado", "State"],
  priority: ["Prioridad", "Priority"],
  name: ["Título", "Title"],
  target_date: ["Vencimiento", "Due date"],
  start_date: ["Inicio", "Start date"],
  parent: ["Elemento padre", "Parent"],
  estimate: ["Estimación", "Estimate"],
  labels: ["Etiquetas", "Labels"],
  assignees: ["Responsables", "Assignees"],
  cycles: ["Ciclo", "Cycle"],
  modules: ["Módulos", "Modules"],
  link: ["Enlaces", "Links"],
  attachment: ["Adjuntos", "Attachments"],
  intake: ["Admisión", "Intake"],
  blocked_by: ["Bloqueado por", "Blocked by"],
  blocking: ["Bloquea a", "Blocking"],
  duplicate: ["Duplicado de", "Duplicate of"],
  relates_to: ["Relacionado con", "Relates to"],
} as const satisfies Record<string, readonly [string, string]>;

const VALUES = {
  urgent: ["Urgente", "Urgent"],
  high: ["Alta", "High"],
  medium: ["Media", "Medium"],
  low: ["Baja", "Low"],
  none: ["Ninguna", "None"],
} as const satisfies Record<string, readonly [string, string]>;

const index = (locale: Locale) => (locale === "es" ? 0 : 1);
const own = <Value>(record: Record<string, Value>, key: string) =>
  Object.hasOwn(record, key) ? record[key] : undefined;

export function fieldName(locale: Locale, field: string): string {
  const named = own<readonly [string, string]>(FIELDS, field)?.[index(locale)];
  if (named !== undefined) return named;
  const words = field.replaceAll("_", " ").slice(0, 40);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A value as people read it: priorities by name, dates as dates. */
export function valueText(locale: Locale, field: string, value: string): string {
  if (field === "priority")
    return own<readonly [string, string]>(VALUES, value)?.[index(locale)] ?? value;
  if (field === "target_date" || field === "start_date") return dateText(locale, value);
  return value;
}

const DATES = {
  es: new Intl.DateTimeFormat("es", { dateStyle: "medium", timeZone: "UTC" }),
  en: new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" }),
};
/** `2026-05-05` as "5 may 2026"; whatever else as it is. */
export function dateText(locale: Locale, value: string): string {
  const [day = ""] = /^\d{4}-\d\d-\d\d/.exec(value) ?? [];
  const atMs = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(atMs) ? value : DATES[locale].format(atMs);
}

const plural = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;

const es = {
  updates: (n: number) => plural(n, "novedad", "novedades"),
  items: (n: number) => plural(n, "elemento de trabajo", "elementos de trabajo"),
  in: "en",
  created: "Creó este elemento",
  deleted: "Eliminó este elemento",
  described: "Editó la descripción",
  archived: "Archivó este elemento",
  restored: "Restauró este elemento",
  mentionedYou: "Te mencionó",
  changed: "Cambios",
  commented: "Comentó",
  commentChanged: "Cambió o borró un comentario",
  more: (n: number) => `y ${n} más`,
  moreItems: (n: number) =>
    `Y ${plural(n, "elemento más, que no cabe", "elementos más, que no caben")} en este correo.`,
  somebody: "Alguien",
  untitled: "(sin título)",
  dueSoon: (n: number) => plural(n, "elemento vence pronto", "elementos vencen pronto"),
  due: { overdue: "Venció el", today: "Vence hoy,", tomorrow: "Vence mañana,", later: "Vence el" },
  reasons: {
    mentioned: "porque te mencionaron",
    due: "porque eres responsable",
    assigned: "porque eres responsable",
    created: "porque lo creaste",
    subscribed: "porque lo sigues",
    watching: "porque sigues todo el proyecto",
  } as Record<string, string>,
  footer: "Es un resumen automático de los elementos de trabajo que te conciernen.",
  settings: "Cambiar cuándo y de qué recibo correos",
  unsubscribe: "No recibir más estos correos",
};

const en: typeof es = {
  updates: (n) => plural(n, "update", "updates"),
  items: (n) => plural(n, "work item", "work items"),
  in: "in",
  created: "Created this work item",
  deleted: "Deleted this work item",
  described: "Edited the description",
  archived: "Archived this work item",
  restored: "Restored this work item",
  mentionedYou: "Mentioned you",
  changed: "Changes",
  commented: "Commented",
  commentChanged: "Changed or deleted a comment",
  more: (n) => `and ${n} more`,
  moreItems: (n) => `And ${plural(n, "more item", "more items")} that this mail has no room for.`,
  somebody: "Somebody",
  untitled: "(untitled)",
  dueSoon: (n) => plural(n, "work item is due soon", "work items are due soon"),
  due: { overdue: "Was due on", today: "Due today,", tomorrow: "Due tomorrow,", later: "Due on" },
  reasons: {
    mentioned: "because you were mentioned",
    due: "because you are assigned",
    assigned: "because you are assigned",
    created: "because you created it",
    subscribed: "because you follow it",
    watching: "because you watch the project",
  },
  footer: "This is an automatic digest of the work items that concern you.",
  settings: "Change when and about what I get mail",
  unsubscribe: "Stop these mails",
};

export type Words = typeof es;
export const wordsOf = (locale: Locale): Words => (locale === "es" ? es : en);
