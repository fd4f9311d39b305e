'use strict';
// Float32 .npy files, versions 1 to 3, C order: just what the comparison needs.
const fs = require('fs');

function read(path) {
  const raw = fs.readFileSync(path);
  if (raw.toString('latin1', 0, 6) !== '\x93NUMPY')
    throw new Error(`${path}: not a .npy file`);
  const wide = raw[6] > 1;
  const start = wide ? 12 : 10;
  const length = wide ? raw.readUInt32LE(8) : raw.readUInt16LE(8);
  const header = raw.toString('latin1', start, start + length);
  if (!/'descr':\s*'<f4'/.test(header) || !/'fortran_order':\s*False/.test(header))
    throw new Error(`${path}: not float32 in C order: ${header}`);
  const dims = /'shape':\s*\(([^)]*)\)/.exec(header)[1]
    .split(',').map((s) => s.trim()).filter((s) => s.length).map(Number);
  const bytes = raw.subarray(start + length);
  const count = dims.reduce((a, b) => a * b, 1);
  if (bytes.length !== 4 * count)
    throw new Error(`${path}: ${bytes.length} bytes for ${dims}`);
  const data = new Float32Array(count);
  new Uint8Array(data.buffer).set(bytes);
  return { dims, data };
}

function write(path, dims, data) {
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(', ')})`;
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  header += ' '.repeat(63 - ((10 + header.length) % 64)) + '\n';
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(header.length, 8);
  fs.writeFileSync(path, Buffer.concat([
    head, Buffer.from(header, 'latin1'),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength)]));
}

module.exports = { read, write };
