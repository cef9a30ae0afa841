/**
 * Flags of the log and of metrics. Upstream: component-base logs/api/v1/options.go, metrics/options.go.
 * Deviation: the log is JSON unless `--logging-format=text` says otherwise, and `-v` has two steps: 4 and above is debug.
 */
import { readFileSync } from 'node:fs';
import { parseYaml } from '#apimachinery';
import { UserError } from '#base';
import { type FlagGroup, type GivenFlags, refused } from './flag.ts';

const formatFlag = 'logging-format';
const verbosityFlag = 'v';
const disabledFlag = 'disabled-metrics';
const hiddenFlag = 'show-hidden-metrics-for-version';
const labelsFlag = 'allow-metric-labels';
const manifestFlag = 'allow-metric-labels-manifest';

/** Whether one of upstream's levels asks for what is told in debugging: from 4 on its components tell of every step. */
export function isDebugVerbosity(level: number): boolean {
  return level >= 4;
}

export const logFlags: FlagGroup = {
  title: 'Log and metrics:',
  flags: [
    { name: formatFlag, value: 'format', help: 'json or text (default: json)' },
    { name: verbosityFlag, short: 'v', value: 'level', help: '4 or more: debug' },
    { name: disabledFlag, value: 'names', help: 'metrics that are not shown' },
    { name: hiddenFlag, value: 'version', help: 'is read and finds nothing: no metric is hidden' },
    {
      name: labelsFlag,
      value: 'metric,label=values',
      help: 'values that a label of a metric may have; others become unexpected',
    },
    { name: manifestFlag, value: 'path', help: 'a file of the same, metric,label: values', isPath: true },
  ],
  settings(given) {
    const format = given.text(formatFlag);
    if (format !== undefined && format !== 'json' && format !== 'text') {
      throw new UserError(`format: Invalid value: ${JSON.stringify(format)}: Unsupported log format`);
    }
    const level = verbosity(given);
    checkHidden(given);
    const disabled = given.list(disabledFlag);
    const labels = labelValues(given);
    return {
      ...((format !== undefined || level !== undefined) && {
        logging: {
          ...(format && { format }),
          ...(level !== undefined && isDebugVerbosity(level) && { isDebug: true }),
        },
      }),
      ...((disabled || labels.size > 0) && { metrics: { disabled: new Set(disabled), labels } }),
      apiServer: {},
    };
  },
};

function verbosity(given: GivenFlags): number | undefined {
  const text = given.text(verbosityFlag);
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const why = `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw new UserError(`invalid argument ${JSON.stringify(text)} for "-v, --v" flag: ${why}`);
}

/** Only the version before this one may be named. */
function checkHidden(given: GivenFlags): void {
  const version = given.text(hiddenFlag);
  if (version === undefined || version === '' || version === '1.35') return;
  throw new UserError(
    `metrics.showHiddenMetricsForVersion: Invalid value: ${JSON.stringify(version)}: must be omitted or have the value '1.35'; only the previous minor version is allowed`,
  );
}

/** By `metric,label`. The flag goes before the file. */
function labelValues(given: GivenFlags): ReadonlyMap<string, ReadonlySet<string>> {
  const texts = given.all(labelsFlag).map((text): [string, string] => {
    const at = text.indexOf('=');
    if (at < 0) throw refused(labelsFlag, text, `${text} must be formatted as key=value`);
    return [text.slice(0, at), text.slice(at + 1).replace(/^(['"])(.*)\1$/, '$2')];
  });
  const pairs = texts.length > 0 ? texts : Object.entries(manifest(given.path(manifestFlag)));
  return new Map(pairs.map(([key, values]) => [key, new Set(values.split(','))]));
}

function manifest(path: string | undefined): Record<string, string> {
  if (!path) return {};
  try {
    return parseYaml(readFileSync(path)).value as Record<string, string>;
  } catch (cause) {
    throw new UserError(`failed to read allow list manifest: ${(cause as Error).message}`, { cause });
  }
}
