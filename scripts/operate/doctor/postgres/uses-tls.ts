/** Whether a URL asks Postgres for TLS; without a word the driver does not. */

export function usesTls(databaseUrl: string): boolean {
  const { searchParams } = new URL(databaseUrl);
  const mode = searchParams.get("sslmode");
  if (mode !== null) return mode !== "disable";
  return ["1", "true"].includes(searchParams.get("ssl") ?? "");
}
