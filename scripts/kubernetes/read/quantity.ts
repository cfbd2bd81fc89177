/** Kubernetes quantities: "250m" of a CPU, "256Mi" of memory, "50" pods. */

const BYTES: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};
const CPUS: Readonly<Record<string, number>> = { "": 1, m: 1e-3 };
const ANY = { ...BYTES, ...CPUS };

function read(value: unknown, units: Readonly<Record<string, number>>): number | undefined {
  const [, number, suffix = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(String(value ?? "")) ?? [];
  const unit = Object.hasOwn(units, suffix) ? units[suffix] : undefined;
  return number === undefined || unit === undefined ? undefined : Number(number) * unit;
}

/** In the unit itself, whatever is counted; undefined for what is no quantity. */
export const quantity = (value: unknown) => read(value, ANY);

/** CPUs; undefined where it is no quantity of them. */
export const cpus = (value: unknown) => read(value, CPUS);

/** GiB; undefined where it is no quantity of bytes. */
export function gibibytes(value: unknown): number | undefined {
  const bytes = read(value, BYTES);
  return bytes === undefined ? undefined : bytes / 2 ** 30;
}
