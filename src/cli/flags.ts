/** The flags of kube-apiserver on the command line, from the cluster layer's table of them. */
import { type Command, Option } from 'commander';
import { flagGroups, GivenFlags } from '#cluster';

const flags = flagGroups.flatMap(group => group.flags);

/** Adds every flag, under its group's title in the help. */
export function addFlags(command: Command): Command {
  for (const { title, flags } of flagGroups) {
    for (const { name, short, value, help } of flags) {
      const long = value === undefined ? `--${name} [true|false]` : `--${name} <${value}>`;
      const option = new Option(short ? `-${short}, ${long}` : long, help);
      command.addOption(option.argParser(gathered).helpGroup(title));
    }
  }
  return command;
}

const gathered = (value: string, previous: readonly string[] | undefined): string[] => [...(previous ?? []), value];

/** What the command line gave for them. */
export function givenFlags(command: Command): GivenFlags {
  return new GivenFlags(
    flags.flatMap(({ name, value }) => {
      const option = new Option(`--${name} <value>`);
      const given: unknown = command.getOptionValue(option.attributeName());
      if (given === undefined) return [];
      const values = Array.isArray(given) ? (given as string[]) : [value === undefined ? 'true' : String(given)];
      return [[name, values] as const];
    }),
  );
}
