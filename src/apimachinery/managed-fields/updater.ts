/**
 * Who owns what after a write: an update takes over what it changed, an apply what it names, with conflicts or force,
 * and removes what it named before and names no more. Upstream: sigs.k8s.io/structured-merge-diff v6 merge/update.go.
 */
import { type Comparison, compareValues, fieldSetOf } from './compare.ts';
import {
  emptySet,
  type FieldSet,
  intersectSets,
  isEmptySet,
  pathsOf,
  subtractSet,
  subtractTree,
  unionSets,
} from './field-set.ts';
import { type Manager, type Managers, managerKey } from './managers.ts';
import { mergeValues, removePaths, withNamedFields } from './merge.ts';
import type { PathElement } from './path-element.ts';
import { equalValues, type Typed } from './typed.ts';
import { reconcileWithType } from './validate.ts';

/** A path that another manager owns. */
export interface FieldConflict {
  readonly manager: Manager;
  readonly path: readonly PathElement[];
}

/** Thrown by {@link Updater.apply} without force. */
export class FieldConflictsError extends Error {
  override readonly name = 'FieldConflictsError';
  readonly conflicts: readonly FieldConflict[];

  constructor(conflicts: readonly FieldConflict[]) {
    super(`${conflicts.length} field conflicts`);
    this.conflicts = conflicts;
  }
}

export interface UpdaterOptions {
  /** The value in another API version; undefined when there is no such version any more. */
  convert(value: Typed, apiVersion: string): Typed | undefined;
  /** Paths, by API version, that a write through this endpoint never owns, with all below them. */
  readonly resetFields?: Readonly<Record<string, FieldSet>>;
}

/** Works on managers decoded for one write. The maps that it is given are changed. */
export class Updater {
  readonly #options: UpdaterOptions;

  constructor(options: UpdaterOptions) {
    this.#options = options;
  }

  /** Records that `key`'s manager wrote `next` over `live`. Changes `managers`. */
  update(live: Typed, next: Typed, managers: Managers, self: Manager, key: string): void {
    this.#reconcile(live, managers);
    const changed = this.#disown(live, next, managers, key, true);
    const owned = managers.get(key)?.set ?? emptySet;
    const set = unionSets(unionSets(subtractSet(owned, changed.removed), changed.modified), changed.added);
    const kept = this.#withoutReset(set, next.apiVersion);
    if (isEmptySet(kept)) managers.delete(key);
    else managers.set(key, { ...self, set: kept });
  }

  /**
   * Merges `config` into `live`. Changes `managers`. Answers undefined when the object stays as it is. Throws
   * FieldConflictsError.
   */
  apply(live: Typed, config: Typed, managers: Managers, self: Manager, force: boolean): Typed | undefined {
    this.#reconcile(live, managers);
    const key = managerKey(self);
    const last = managers.get(key);
    const merged: Typed = { ...live, value: mergeValues(live.node, live.value, config.value) };
    const set = this.#withoutReset(fieldSetOf(config.node, config.value), config.apiVersion);
    managers.set(key, { ...self, set });
    const next = this.#prune(merged, managers, key, last);
    this.#disown(live, next, managers, key, force);
    return equalValues(live.value, next.value) ? undefined : next;
  }

  #withoutReset(set: FieldSet, apiVersion: string): FieldSet {
    const reset = this.#options.resetFields?.[apiVersion];
    return reset === undefined ? set : subtractTree(set, reset);
  }

  #convert(value: Typed, apiVersion: string): Typed | undefined {
    return value.apiVersion === apiVersion ? value : this.#options.convert(value, apiVersion);
  }

  #reconcile(live: Typed, managers: Managers): void {
    for (const [key, manager] of managers) {
      const typed = this.#convert(live, manager.apiVersion);
      if (typed === undefined) {
        managers.delete(key);
        continue;
      }
      const set = reconcileWithType(manager.set, typed.node);
      if (set !== manager.set) managers.set(key, { ...manager, set });
    }
  }

  /** Takes from all managers but one what the write changed or removed. Throws when it changed and may not. */
  #disown(live: Typed, next: Typed, managers: Managers, workflow: string, force: boolean): Comparison {
    const own = this.#compare(live, next);
    const versions = new Map<string, Comparison>([[next.apiVersion, own]]);
    const conflicts = new Map<string, FieldSet>();
    for (const [key, manager] of managers) {
      if (key === workflow) continue;
      let changed = versions.get(manager.apiVersion);
      if (changed === undefined) {
        const before = this.#convert(live, manager.apiVersion);
        const after = before && this.#convert(next, manager.apiVersion);
        if (before === undefined || after === undefined) {
          managers.delete(key);
          continue;
        }
        changed = this.#compare(before, after);
        versions.set(manager.apiVersion, changed);
      }
      const conflict = intersectSets(manager.set, unionSets(changed.modified, changed.added));
      if (!isEmptySet(conflict)) conflicts.set(key, conflict);
    }
    if (!force && conflicts.size > 0) throw new FieldConflictsError(conflictList(managers, conflicts));
    for (const [key, manager] of managers) {
      const conflict = conflicts.get(key);
      let set = conflict === undefined ? manager.set : subtractSet(manager.set, conflict);
      if (key !== workflow) set = subtractSet(set, versions.get(manager.apiVersion)!.removed);
      if (isEmptySet(set)) managers.delete(key);
      else if (set !== manager.set) managers.set(key, { ...manager, set });
    }
    return own;
  }

  #compare(before: Typed, after: Typed): Comparison {
    const { added, modified, removed } = compareValues(after.node, before.value, after.value);
    const reset = this.#options.resetFields?.[after.apiVersion];
    if (reset === undefined) return { added, modified, removed };
    return {
      added: subtractTree(added, reset),
      modified: subtractTree(modified, reset),
      removed: subtractTree(removed, reset),
    };
  }

  /** Removes what the manager applied last and applies no more, unless another applier or updater owns it. */
  #prune(merged: Typed, managers: Managers, key: string, last: Manager | undefined): Typed {
    if (last === undefined || isEmptySet(last.set)) return merged;
    const converted = this.#convert(merged, last.apiVersion);
    if (converted === undefined) return merged;
    const lastSet = withNamedFields(last.set, converted.node);
    let pruned: Typed = { ...converted, value: removePaths(converted.node, converted.value, lastSet) };
    pruned = this.#addBackOwned(converted, pruned, managers);
    pruned = this.#addBackDangling(converted, pruned, last, lastSet);
    return this.#convert(pruned, managers.get(key)!.apiVersion) ?? merged;
  }

  #addBackOwned(merged: Typed, pruned: Typed, managers: Managers): Typed {
    const byVersion = new Map<string, FieldSet>();
    for (const { apiVersion, set } of managers.values()) {
      byVersion.set(apiVersion, unionSets(byVersion.get(apiVersion) ?? emptySet, set));
    }
    // The version that was pruned comes first: what is added back may be needed to convert the rest.
    const versions = [...byVersion.keys()].sort(
      (a, b) => Number(b === merged.apiVersion) - Number(a === merged.apiVersion),
    );
    let out = pruned;
    let whole = merged;
    for (const version of versions) {
      const [full, cut] = [this.#convert(whole, version), this.#convert(out, version)];
      if (full === undefined || cut === undefined) continue;
      const owned = withNamedFields(byVersion.get(version)!, full.node);
      const kept = withNamedFields(fieldSetOf(cut.node, cut.value), full.node);
      const all = withNamedFields(fieldSetOf(full.node, full.value), full.node);
      whole = full;
      out = { ...full, value: removePaths(full.node, full.value, subtractSet(all, unionSets(kept, owned))) };
    }
    return out;
  }

  /** Adds back what was not owned by the manager before: it went only because something above it went. */
  #addBackDangling(merged: Typed, pruned: Typed, last: Manager, lastSet: FieldSet): Typed {
    const cut = this.#convert(pruned, last.apiVersion);
    if (cut === undefined) return merged;
    const kept = withNamedFields(fieldSetOf(cut.node, cut.value), merged.node);
    const all = withNamedFields(fieldSetOf(merged.node, merged.value), merged.node);
    const gone = intersectSets(subtractSet(all, kept), lastSet);
    return { ...merged, value: removePaths(merged.node, merged.value, gone) };
  }
}

/** All conflicts, by manager and path in order. */
function conflictList(managers: Managers, conflicts: ReadonlyMap<string, FieldSet>): FieldConflict[] {
  return [...conflicts.keys()].sort().flatMap(key => {
    const manager = managers.get(key)!;
    return pathsOf(conflicts.get(key)!).map(path => ({ manager, path }));
  });
}
