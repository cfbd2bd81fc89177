/** One kustomization, and the objects that pass through it. */
import type { Files } from "./files.ts";
import type { Kustomization } from "./kustomization-schema.ts";
import { applied, type Place, type Placed } from "./placed.ts";

/** An object on its way through the layers. */
export interface Entry {
  node: Placed;
  /** What other objects refer to it by, before a layer or its content gave it another name. */
  originalName: string;
  /** Made by a generator, and named after its content at the end. */
  generated: boolean;
}

/** A kustomization, and what is needed to tell of it. */
export interface Layer {
  folder: string;
  file: string;
  settings: Kustomization;
  node: Placed;
  report(place: Place, message: string, fix: string, rule?: string): void;
  files: Files;
  read: Set<string>;
}

/** Place of a setting of the kustomization. */
export function placeIn(layer: Layer, path: readonly (string | number)[]): Place {
  return applied(layer.node).placeOf(path);
}
