// Runs jsii's kernel in this process, in place of a launcher that starts a second one and copies every byte.
// The kernel talks over file descriptor 3: here that is standard input and output. What JavaScript prints goes to
// standard error, so that it does not end between the messages.
'use strict';
const fs = require('fs');
const path = require('path');
const Module = require('module');
const threads = require('worker_threads');
const { Writer } = require('./jsii_yaml.js');

const [folder] = process.argv.slice(2);
const { readSync, writeSync } = fs;
fs.readSync = (fd, ...rest) => readSync(fd === 3 ? 0 : fd, ...rest);
fs.writeSync = (fd, ...rest) => writeSync(fd === 3 ? 1 : fd, ...rest);
process.stdout.write = process.stderr.write.bind(process.stderr);
process.on('SIGINT', () => {});

// The package keeps the files of two folders in one, with the folder in the name.
threads.Worker = class extends threads.Worker {
  constructor(file, options) {
    const inPackage = path.join(folder, `lib__${path.basename(String(file))}`);
    super(fs.existsSync(inPackage) ? inPackage : file, options);
  }
};

// An app's YAML comes with the same as JSON, which Python reads in a tenth of the time.
const load = Module._load;
Module._load = function (request, parent, ...rest) {
  const found = load.call(this, request, parent, ...rest);
  if (request === './app' && parent && parent.filename.endsWith(path.join('cdk8s', 'lib', 'index.js'))) {
    Module._load = load;
    const { Yaml } = load.call(this, './yaml', parent, ...rest);
    write(found.App, Yaml);
  }
  return found;
};

function write(App, Yaml) {
  const { stringify } = Yaml;
  const writer = new Writer((value) => stringify.call(Yaml, value));
  let last = [];
  Yaml.stringify = (...docs) => {
    last = docs;
    return docs.map((each) => (each === undefined ? '\n' : writer.document(each))).join('---\n');
  };
  const { synthYaml } = App.prototype;
  App.prototype.synthYaml = function () {
    return `${synthYaml.call(this)}\0${JSON.stringify(last)}`;
  };
}

require(path.join(folder, 'lib__program.js'));
