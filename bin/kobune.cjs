#!/usr/bin/env node
/*
 * The launcher. Plain old JavaScript, so that any Node can read it: it finds a Node that is new enough, or says in one
 * sentence what is missing, and hands over to the bundle; in a checkout whose source is newer than that, to the source.
 */
'use strict';
var childProcess = require('child_process');
var fs = require('fs');
var path = require('path');

var root = path.join(__dirname, '..');
var bundle = path.join(root, 'dist', 'kobune.js');
var source = path.join(root, 'src', 'cli', 'main.ts');
var own = path.join(root, 'node_modules', 'node', 'bin', 'node');
var major = Number(process.versions.node.split('.')[0]);

/* When the youngest file or folder below `folder` was changed; a file that was removed changes its folder. */
function changedMs(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).reduce(function (latest, entry) {
    var file = path.join(folder, entry.name);
    return Math.max(latest, entry.isDirectory() ? changedMs(file) : fs.statSync(file).mtimeMs);
  }, fs.statSync(folder).mtimeMs);
}

function isBundleCurrent() {
  if (!fs.existsSync(bundle)) return false;
  return !fs.existsSync(source) || changedMs(path.join(root, 'src')) <= fs.statSync(bundle).mtimeMs;
}

function start() {
  process.env.KOBUNE_LAUNCHER = __filename;
  if (isBundleCurrent()) {
    require('module').enableCompileCache(path.join(root, 'dist', '.compile-cache'));
    return import(require('url').pathToFileURL(bundle).href);
  }
  return import(require('url').pathToFileURL(source).href);
}

if (major >= 24) {
  start();
} else if (fs.existsSync(own)) {
  var child = childProcess.spawn(own, [__filename].concat(process.argv.slice(2)), { stdio: 'inherit' });
  ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach(function (signal) {
    process.on(signal, function () {
      child.kill(signal);
    });
  });
  child.on('exit', function (code, signal) {
    process.exit(signal ? 1 : code);
  });
} else {
  console.error(
    'Kobune needs Node 24 or newer and this is ' +
      process.version +
      '; install a newer Node, or run "npm install" in a checkout.',
  );
  process.exit(1);
}
