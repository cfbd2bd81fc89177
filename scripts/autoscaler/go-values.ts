/** Values in trigger metadata are texts; this reads them as Go does, which KEDA is written in. */

/** strconv.ParseFloat, without the infinities and NaN, which no trigger can mean. */
export function goFloat(text: string): number | undefined {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

export function goInteger(text: string): number | undefined {
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}

/** strconv.ParseBool */
export function goBoolean(text: string): boolean | undefined {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  return undefined;
}

const UNIT_MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** time.ParseDuration (`1m30s`), or a number of milliseconds. */
export function goDurationMs(text: string): number | undefined {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  const parts = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)$/.exec(text);
  if (!parts) return undefined;
  let sum = 0;
  for (const [, amount, unit = ""] of (parts[2] ?? "").matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(amount) * (UNIT_MS[unit] ?? 0);
  return parts[1] === "-" ? -sum : sum;
}
