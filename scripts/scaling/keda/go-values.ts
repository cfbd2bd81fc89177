/** Values in trigger metadata are texts; this reads them as Go does, which KEDA is written in. */

/** KEDA reads the numbers of metadata as JSON, which knows no leading zero, plus or bare point. */
export function goFloat(text: string): number | undefined {
  const number = text.trim();
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(number) ? Number(number) : undefined;
}

/** A number of metadata without a fraction. */
export function goWhole(text: string): number | undefined {
  const number = text.trim();
  return /^-?(?:0|[1-9]\d*)$/.test(number) ? Number(number) : undefined;
}

/** strconv.Atoi, as annotations are read. */
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
  // The micro sign and the Greek letter, which look the same.
  "\u00b5s": 1e-3,
  "\u03bcs": 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** time.ParseDuration (`1m30s`), or a number of milliseconds. */
export function goDurationMs(given: string): number | undefined {
  const text = given.trim();
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  const parts = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/.exec(text);
  if (!parts) return undefined;
  let sum = 0;
  for (const [, amount, unit = ""] of (parts[2] ?? "").matchAll(
    /([\d.]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g,
  ))
    sum += Number(amount) * (UNIT_MS[unit] ?? 0);
  return parts[1] === "-" ? -sum : sum;
}
