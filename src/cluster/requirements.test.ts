import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '#base';
import { checkMachine, type Machine } from './requirements.ts';

const all = ['crun', 'nft', 'ip'];
const machine = (changes: Partial<Machine>, programs: readonly string[] = all): Machine => ({
  platform: 'linux',
  uid: 0,
  capabilities: (1n << 41n) - 1n,
  hasProgram: name => programs.includes(name),
  ...changes,
});

test('a machine that can run containers is let through', () => {
  checkMachine(machine({}));
  checkMachine(machine({}, ['runc', 'nft', 'ip']));
  checkMachine(machine({ capabilities: undefined }));
});

const refusals: ReadonlyArray<readonly [Machine, RegExp, RegExp]> = [
  [machine({ platform: 'darwin' }), /Linux only/, /--no-node/],
  [machine({ uid: 1000 }), /needs root/, /sudo/],
  [machine({ capabilities: 1n << 12n }), /needs CAP_SYS_ADMIN, which root does not have/, /privileged/],
  [machine({ capabilities: 0n }), /CAP_NET_ADMIN and CAP_SYS_ADMIN/, /privileged/],
  [machine({}, ['nft', 'ip']), /no container runtime \(crun or runc\)/, /apt-get install crun$/],
  [machine({}, ['crun', 'ip']), /no nft/, /apt-get install nftables$/],
  [machine({}, ['crun']), /no nft, .* and no ip, /, /apt-get install nftables iproute2$/],
];

test('what is missing is one sentence with what to do', () => {
  for (const [given, message, remedy] of refusals) {
    assert.throws(
      () => checkMachine(given),
      (error: UserError) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, message);
        assert.match(error.remedy ?? '', remedy);
        return true;
      },
    );
  }
});
