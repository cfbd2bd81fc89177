/** Entries as a busy morning leaves them, for tests and pictures. */
import type { MailEntry } from "./entry.ts";

const AT = Date.parse("2026-05-05T08:00:00Z");
let count = 0;

export function entryOf(entry: Partial<MailEntry> = {}): MailEntry {
  count++;
  return {
    receiverId: "ines",
    workspaceId: "w1",
    projectId: "p1",
    issueId: "i1",
    issueKey: "TL-12",
    issueName: "El pago con tarjeta falla en Safari",
    actorId: "ana",
    actorName: "Ana Ñúñez",
    activityId: `a${count}`,
    reason: "assigned",
    field: "state",
    verb: "updated",
    oldValue: "Por hacer",
    newValue: "En curso",
    at: AT + count * 60_000,
    ...entry,
  };
}

export const SAMPLE: MailEntry[] = [
  entryOf(),
  entryOf({ field: "priority", oldValue: "medium", newValue: "urgent" }),
  entryOf({ field: "labels", oldValue: "", newValue: "pagos" }),
  entryOf({ field: "labels", oldValue: "", newValue: "safari" }),
  entryOf({ field: "labels", oldValue: "sin clasificar", newValue: "" }),
  entryOf({ field: "target_date", oldValue: "", newValue: "2026-05-08" }),
  entryOf({
    actorId: "leo",
    actorName: "Leo",
    field: "comment",
    verb: "created",
    oldValue: "",
    newValue:
      "<p>Lo reproduzco en iOS 19: el <em>iframe</em> del banco no recibe la cookie. ¿Alguien sabe si lo cambiaron ellos?</p>",
  }),
  entryOf({
    issueId: "i2",
    issueKey: "TL-40",
    issueName: "Manual de reposición para las tiendas de Centroamérica",
    reason: "mentioned",
    field: "comment",
    verb: "created",
    actorId: "leo",
    actorName: "Leo",
    oldValue: "",
    newValue: "<p>@Inés ¿lo miras antes del viernes?</p>",
  }),
  entryOf({
    issueId: "i3",
    issueKey: "TL-7",
    issueName: "Renovar el certificado",
    reason: "due",
    field: "due",
    actorId: "",
    actorName: null,
    oldValue: null,
    newValue: "2026-05-06",
  }),
  entryOf({
    issueId: "i4",
    issueKey: "TL-99",
    issueName:
      "Exportación https://example.com/una/ruta/larguisima/sin/espacios/que/no/se/parte/nunca?x=1234567890123456789012345678901234567890",
    reason: "subscribed",
    field: "name",
    oldValue: "Exportar",
    newValue:
      "Exportación_de_todos_los_pedidos_de_todas_las_tiendas_de_todos_los_paises_en_un_fichero",
  }),
  entryOf({
    issueId: "i4",
    issueKey: "TL-99",
    reason: "subscribed",
    field: "description",
    issueName: null,
  }),
];
