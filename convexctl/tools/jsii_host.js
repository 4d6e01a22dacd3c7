// Runs jsii's kernel in this process, in place of a launcher that starts a second one and copies every byte.
// The kernel talks over file descriptor 3: here that is standard input and output. What JavaScript prints goes to
// standard error, so that it does not end between the messages.
'use strict';
const fs = require('fs');
const path = require('path');
const threads = require('worker_threads');

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
require(path.join(folder, 'lib__program.js'));
