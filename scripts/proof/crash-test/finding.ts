/** What the checker says: which rule a run broke, and what that means. */

export type Category =
  | "lost"
  | "double_effects"
  | "stuck"
  | "quarantined_wrongly"
  | "attempts_burned"
  /** Something went to, or came back as, what it should not. */
  | "misdirected"
  /** The run itself proves nothing: its faults met no load, or its jobs were not confirmed. */
  | "no_load"
  | "other";

export interface Finding {
  rule: "a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "i" | "j" | "k" | "load" | "exit" | "run";
  category: Category;
  jobId?: string;
  message: string;
}
