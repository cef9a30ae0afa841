/** What the README shows of TypeScript runs as it stands, with the bundle and the types that users get. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isBuilt } from '../../hack/build.ts';

const root = resolve(import.meta.dirname, '../..');
const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)];

test("the README's examples run", { skip: isBuilt() ? false : 'needs the bundle: npm run build' }, async () => {
  assert.ok(blocks.length > 0);
  for (const [, code] of blocks) {
    const args = ['--no-warnings', '--input-type=module-typescript', '--eval', code!];
    await promisify(execFile)(process.execPath, args, { cwd: root });
  }
});

test("the package's types know the README's examples, and what is no part of it", async () => {
  await promisify(execFile)(process.execPath, ['hack/build-types.ts'], { cwd: root });
  const project = mkdtempSync(join(tmpdir(), 'kobune-types-'));
  try {
    const modules = join(project, 'node_modules');
    mkdirSync(modules);
    symlinkSync(root, join(modules, 'kobune'));
    symlinkSync(join(root, 'node_modules', '@types'), join(modules, '@types'));
    const compilerOptions = {
      ...{ target: 'esnext', lib: ['esnext'], module: 'nodenext', types: ['node'], strict: true, noEmit: true },
      ...{ preserveSymlinks: true, skipLibCheck: true },
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    writeFileSync(join(project, 'package.json'), '{"type":"module"}');
    for (const [at, [, code]] of blocks.entries()) {
      const wrong = '// @ts-expect-error\nawait startCluster({ nosuch: true });\n';
      writeFileSync(join(project, `example${at}.ts`), `${code}${wrong}`);
    }
    await promisify(execFile)(join(root, 'node_modules', '.bin', 'tsc'), ['-p', '.'], { cwd: project });
  } finally {
    rmSync(project, { recursive: true });
  }
});
