/** What Redis says of itself; hosted servers, and users with few rights, get less of it or nothing. */
import type { Redis } from "@tl-engine/shared/stores/redis";

/** Empty where the server refuses to say. */
export async function readInfo(redis: Redis, section: string): Promise<string> {
  try {
    return await redis.info(section);
  } catch (error) {
    if (!/^(?:NOPERM|ERR)\b/.test((error as Error).message)) throw error;
    return "";
  }
}

export const field = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:([^\\r\\n]*)`, "m").exec(info)?.[1];
