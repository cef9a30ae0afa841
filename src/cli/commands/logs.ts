/** `kobune logs`: what the server wrote, optionally as it goes on. */
import { createReadStream, existsSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import { UserError } from '#base';
import { type ClusterOptions, existingDirectory, nameOption, rootOption } from '../options.ts';

export function logsCommand(): Command {
  return new Command('logs')
    .description("print the server's log (for a pod's, use kubectl logs)")
    .addOption(nameOption())
    .addOption(rootOption())
    .option('-f, --follow', 'go on as the log grows, until interrupted')
    .addHelpText('after', '\nExample:\n  kobune logs --follow')
    .action(async (options: ClusterOptions & { follow?: boolean }) => {
      const dir = existingDirectory(options);
      const path = join(dir.logs, 'server.log');
      if (!existsSync(path)) throw new UserError(`The server has written no log yet (${path}).`);
      let offset = await print(path, 0);
      if (!options.follow) return;
      for await (const _event of changes(path)) offset = await print(path, offset);
    });
}

/** Prints from `offset` to the end; answers the new offset. A shorter file was begun anew. */
async function print(path: string, offset: number): Promise<number> {
  const { size } = statSync(path);
  const start = size < offset ? 0 : offset;
  if (size > start) await pipeline(createReadStream(path, { start, end: size - 1 }), process.stdout, { end: false });
  return size;
}

async function* changes(path: string): AsyncIterable<void> {
  let wake = (): void => {};
  const watcher = watch(path, () => wake());
  try {
    for (;;) {
      await new Promise<void>(resolve => (wake = resolve));
      yield;
    }
  } finally {
    watcher.close();
  }
}
