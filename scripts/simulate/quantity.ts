/** Kubernetes quantities: "250m" of a CPU, "256Mi" of memory. */

const CPU = /^(\d+(?:\.\d+)?)(m?)$/;
const MEMORY = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?$/;
const UNITS: Readonly<Record<string, number>> = {
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
};

/** CPUs; undefined where it is no quantity of them. */
export function cpus(quantity: unknown): number | undefined {
  const [, number, milli] = CPU.exec(String(quantity)) ?? [];
  return number === undefined ? undefined : Number(number) / (milli ? 1_000 : 1);
}

/** GiB; undefined where it is no quantity of bytes. */
export function gibibytes(quantity: unknown): number | undefined {
  const [, number, unit = ""] = MEMORY.exec(String(quantity)) ?? [];
  return number === undefined ? undefined : (Number(number) * (UNITS[unit] ?? 1)) / 2 ** 30;
}
