/** Where the monitor program is: built from native/, or shipped with the package. */
import { accessSync, constants } from 'node:fs';
import { join, resolve } from 'node:path';
import { UserError } from '#base';

/** Path of an executable monitor. Searched from here upwards: native/build, then native/prebuilt/<platform>-<arch>. */
export function findMonitorProgram(from: string = import.meta.dirname): string {
  for (let dir = from; ; dir = resolve(dir, '..')) {
    for (const place of ['build', join('prebuilt', `${process.platform}-${process.arch}`)]) {
      const path = join(dir, 'native', place, 'monitor');
      if (isExecutable(path)) return path;
    }
    if (dir === resolve(dir, '..')) break;
  }
  throw new UserError('The monitor program, which starts containers, was not built for this machine.', {
    remedy: 'Install a C compiler (apt-get install gcc libc6-dev) and run: node hack/build-native.ts',
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
