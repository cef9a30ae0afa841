/*
 * Runs a script of this repository from a fresh clone: installs the npm dependencies if they are missing or stale,
 * then hands over to the Node that they bring. Plain old JavaScript, so that any Node can read it.
 */
'use strict';
var childProcess = require('child_process');
var fs = require('fs');
var path = require('path');

var root = path.join(__dirname, '..');
var node = path.join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
var lock = path.join(root, 'package-lock.json');
var installedLock = path.join(root, 'node_modules', '.installed-package-lock.json');

function fresh() {
  try {
    if (!fs.existsSync(node)) return false;
    // A linked node_modules belongs to another checkout, which keeps it up to date.
    if (fs.lstatSync(path.join(root, 'node_modules')).isSymbolicLink()) return true;
    return fs.readFileSync(lock).equals(fs.readFileSync(installedLock));
  } catch (error) {
    return false;
  }
}

if (!fresh()) {
  if (process.argv.indexOf('--no-install') >= 0) {
    console.error('The npm dependencies are missing. Run: npm install');
    process.exit(1);
  }
  console.error('Installing npm dependencies (npm install) …');
  var install = childProcess.spawnSync('npm', ['install', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (install.status !== 0) {
    console.error('npm install failed; see above.');
    process.exit(1);
  }
  // Not "npm ci": it refuses a lock file that lacks other platforms' optional packages, which some registries lack too.
  fs.copyFileSync(lock, installedLock);
}

var child = childProcess.spawn(node, [path.join(root, process.argv[2])].concat(process.argv.slice(3)), {
  cwd: root,
  stdio: 'inherit',
  env: Object.assign({}, process.env, { PATH: path.dirname(node) + path.delimiter + process.env.PATH }),
});
['SIGINT', 'SIGTERM', 'SIGHUP'].forEach(signal => {
  process.on(signal, () => {
    child.kill(signal);
  });
});
child.on('exit', (code, signal) => {
  process.exit(signal ? 1 : code);
});
