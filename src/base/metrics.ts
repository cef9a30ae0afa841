/**
 * Counters, gauges and histograms with upstream's names, exposed in the Prometheus text format 0.0.4.
 * A registry belongs to a component instance; several may be rendered together.
 */

/** Labels that are used often are best frozen: their text is then made once. */
export type Labels = Readonly<Record<string, string>>;

/** The labels that `make` gives for a key, frozen and made once a key, of which there must be few. */
export function labelsOf<K>(make: (key: K) => Labels): (key: K) => Labels {
  const kept = new Map<K, Labels>();
  return key => {
    let labels = kept.get(key);
    if (!labels) kept.set(key, (labels = Object.freeze(make(key))));
    return labels;
  };
}

export interface Counter {
  inc(labels?: Labels, by?: number): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
  inc(labels?: Labels, by?: number): void;
  /** Shows nothing of these labels any more. */
  remove(labels?: Labels): void;
}
export interface Histogram {
  /** Records one observation, in the unit that the metric's name says (upstream: seconds or bytes). */
  observe(value: number, labels?: Labels): void;
  /** The series of these labels, for those who observe it all the time. It is there from its first observation on. */
  of(labels: Labels): BoundHistogram;
}

/** One series of a histogram. */
export interface BoundHistogram {
  observe(value: number): void;
}

/** Gives one line of a family: its value, its labels, and what follows the family's name (`_bucket`, `_sum`). */
export type Sample = (value: number, labels?: Labels, suffix?: string) => void;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  render(): string[];
}

/** What an operator does not want to see. */
export interface MetricRestrictions {
  readonly disabled: ReadonlySet<string>;
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
}

/** A set of metric families. Registering one name twice is a bug and throws. */
export class MetricsRegistry {
  readonly #families = new Map<string, Family>();
  #disabled: ReadonlySet<string> = new Set();
  #allowed: MetricRestrictions['labels'] = new Map();
  /** Texts of labels that are given again and again. */
  readonly #texts = new WeakMap<Labels, string>();

  #text(labels: Labels | undefined): string {
    if (!labels || !Object.isFrozen(labels)) return labelText(labels);
    let text = this.#texts.get(labels);
    if (text === undefined) this.#texts.set(labels, (text = labelText(labels)));
    return text;
  }

  /** `isBare`: it has no labels, and is shown before it ever counted. */
  counter(name: string, help: string, isBare = false): Counter {
    const values = this.#scalar(name, help, 'counter');
    if (isBare) add(values, '', 0);
    return { inc: (labels, by = 1) => add(values, this.#text(labels), by) };
  }

  gauge(name: string, help: string): Gauge {
    const values = this.#scalar(name, help, 'gauge');
    return {
      set: (value, labels) => void values.set(this.#text(labels), value),
      inc: (labels, by = 1) => add(values, this.#text(labels), by),
      remove: labels => void values.delete(this.#text(labels)),
    };
  }

  /** A gauge whose value is asked for when it is rendered. */
  gaugeFunction(name: string, help: string, read: () => number): void {
    this.valueFunction('gauge', name, help, read);
  }

  /** A value that is asked for when it is rendered, and left out when it is undefined. */
  valueFunction(type: 'counter' | 'gauge', name: string, help: string, read: () => number | undefined): void {
    const render = (): string[] => {
      const value = read();
      return value === undefined ? [] : [`${name} ${floatText(value)}`];
    };
    this.#register({ name, help, type, render });
  }

  /** A family whose lines are given when they are asked for: for values that are kept where they change. */
  collected(type: Family['type'], name: string, help: string, collect: (sample: Sample) => void): void {
    const render = (): string[] => {
      const lines: string[] = [];
      collect((value, labels, suffix = '') => lines.push(`${name}${suffix}${this.#text(labels)} ${floatText(value)}`));
      return lines;
    };
    this.#register({ name, help, type, render });
  }

  /** Another name for a family that is there already. */
  alias(name: string, help: string, original: string): void {
    const { type, render } = this.#families.get(original)!;
    this.#register({ name, help, type, render: () => render().map(line => name + line.slice(original.length)) });
  }

  /** From now on shows no family of these names, and of a label only these values (`metric,label`); others `unexpected`. */
  restrict({ disabled, labels }: MetricRestrictions): void {
    for (const name of disabled) this.#families.delete(name);
    this.#disabled = disabled;
    this.#allowed = labels;
  }

  /** How many families there are by the stability that their help begins with, as `[BETA]`. */
  countByStability(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { help } of this.#families.values()) {
      const level = /\[([A-Z]+)\]/.exec(help)?.[1];
      if (level !== undefined) counts.set(level, (counts.get(level) ?? 0) + 1);
    }
    return counts;
  }

  /** `isBare` as for {@link counter}. */
  histogram(name: string, help: string, buckets: readonly number[], isBare = false): Histogram {
    const series = new Map<string, { counts: number[]; sum: number; count: number; labels: Labels | undefined }>();
    this.#register({
      name,
      help,
      type: 'histogram',
      render: () => {
        const lines: string[] = [];
        for (const { counts, sum, count, labels } of series.values()) {
          let cumulative = 0;
          buckets.forEach((le, i) => {
            cumulative += counts[i]!;
            lines.push(`${name}_bucket${labelText({ ...labels, le: floatText(le) })} ${floatText(cumulative)}`);
          });
          lines.push(`${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${floatText(count)}`);
          const text = labelText(labels);
          lines.push(`${name}_sum${text} ${floatText(sum)}`, `${name}_count${text} ${floatText(count)}`);
        }
        return lines;
      },
    });
    const entryOf = (labels: Labels | undefined) => {
      const key = this.#text(labels);
      let entry = series.get(key);
      if (!entry) series.set(key, (entry = { counts: buckets.map(() => 0), sum: 0, count: 0, labels }));
      return entry;
    };
    if (isBare) entryOf(undefined);
    const add = (entry: ReturnType<typeof entryOf>, value: number): void => {
      let at = 0;
      while (at < buckets.length && value > buckets[at]!) at++;
      if (at < buckets.length) entry.counts[at]!++;
      entry.sum += value;
      entry.count++;
    };
    return {
      observe: (value, labels) => add(entryOf(labels), value),
      of(labels) {
        let entry: ReturnType<typeof entryOf> | undefined;
        return { observe: value => add((entry ??= entryOf(labels)), value) };
      },
    };
  }

  /** The text exposition of all families, sorted by name, ending in a newline. */
  render(): string {
    let out = '';
    for (const family of [...this.#families.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const lines = this.#restricted(family);
      if (lines.length === 0) continue;
      out += `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n${lines.join('\n')}\n`;
    }
    return out;
  }

  #restricted({ name, render }: Family): string[] {
    const rules = [...this.#allowed].filter(([key]) => key.startsWith(`${name},`));
    const lines = render();
    if (rules.length === 0) return lines;
    return merged(
      rules.reduce((before, [key, values]) => {
        const label = new RegExp(`([{,]${key.slice(name.length + 1)}=")((?:[^"\\\\]|\\\\.)*)"`);
        return before.map(line =>
          line.replace(label, (all, start, value) => (values.has(value) ? all : `${start}unexpected"`)),
        );
      }, lines),
    );
  }

  #scalar(name: string, help: string, type: 'counter' | 'gauge'): Map<string, number> {
    const values = new Map<string, number>();
    this.#register({
      name,
      help,
      type,
      render: () => [...values].map(([labels, value]) => `${name}${labels} ${floatText(value)}`),
    });
    return values;
  }

  #register(family: Family): void {
    if (this.#families.has(family.name)) throw new Error(`metric ${family.name} is registered twice`);
    if (!this.#disabled.has(family.name)) this.#families.set(family.name, family);
  }
}

/** Lines that have become the same are one, with their sum. */
function merged(lines: readonly string[]): string[] {
  const sums = new Map<string, number>();
  for (const line of lines) {
    const at = line.lastIndexOf(' ');
    add(sums, line.slice(0, at), Number(line.slice(at + 1)));
  }
  return [...sums].map(([series, value]) => `${series} ${value}`);
}

function add(values: Map<string, number>, key: string, by: number): void {
  values.set(key, (values.get(key) ?? 0) + by);
}

/** A number as upstream writes it, whose texts are labels where buckets end: Go's shortest, with `e-08` and `1e+06`. */
function floatText(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  if (size === 0 || (size >= 1e-4 && size < 1e6)) return String(value);
  // As JavaScript has it, but for exponents of one digit.
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

function labelText(labels: Labels | undefined): string {
  if (!labels) return '';
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/["\\\n]/g, escapeLabel)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(char: string): string {
  return char === '\n' ? '\\n' : `\\${char}`;
}
