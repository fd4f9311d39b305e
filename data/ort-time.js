'use strict';
// Times ONNX networks in ONNX Runtime on the CPU, in turn, in the folder it is started in:
//   node ort-time.js --threads N --batch B --shape C,H,W --type T --min R --max R --target MS
//     [--whole] [--no-profile] MODEL.onnx...
// T: the input's type, as NumPy calls it.
// Prints `version X`, and with models lines `KIND MODEL NAME MS...`: NAME is the number that stands in
// a node's or value's name (v12_, n7_), or - for the whole. Kinds: run (by the clock around
// whole runs, with --whole), node and all (from the profile of other runs, but for
// --no-profile).
const fs = require('fs');
const os = require('os');
const path = require('path');

function load() {
  const share = process.env.XDG_DATA_HOME || path.join(os.homedir(), '.local', 'share');
  const own = path.join(share, 'ranklab', 'node_modules', 'onnxruntime-node');
  for (const name of ['onnxruntime-node', own]) {
    try {
      return [require(name), require(path.join(name, 'package.json')).version];
    } catch (e) {
      if (e.code !== 'MODULE_NOT_FOUND' || !String(e.message).includes(name)) throw e;
    }
  }
  throw new Error('onnxruntime-node is not found; npm install --prefix ' +
    `${path.join(share, 'ranklab')} onnxruntime-node installs it, NODE_PATH names other places`);
}

function options(args) {
  const o = { whole: false, models: [] };
  while (args.length) {
    const a = args.shift();
    if (a === '--whole') o.whole = true;
    else if (a === '--no-profile') o.bare = true;
    else if (a === '--shape') o.shape = args.shift().split(',').map(Number);
    else if (a === '--type') o.type = args.shift();
    else if (a.startsWith('--')) o[a.slice(2)] = Number(args.shift());
    else o.models.push(a);
  }
  return o;
}

const now = () => Number(process.hrtime.bigint()) / 1e6;

// The bits of a 16-bit float; what is too small for a normal one is 0.
function half(x) {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0];
  const exponent = (bits >>> 23 & 255) - 112;
  return bits >>> 16 & 0x8000 | (exponent > 0 ? exponent << 10 | bits >>> 13 & 1023 : 0);
}

// x as the input's type has it; whole numbers are those of pictures.
function tensor(ort, x, type, dims) {
  const byte = (v) => Math.max(0, Math.min(127, Math.round(64 + 32 * v)));
  const made = {
    float32: () => x,
    float64: () => Float64Array.from(x),
    float16: () => Uint16Array.from(x, half),
    uint8: () => Uint8Array.from(x, byte),
    int8: () => Int8Array.from(x, byte),
    int32: () => Int32Array.from(x, byte),
    int64: () => BigInt64Array.from(x, (v) => BigInt(byte(v))),
  }[type];
  if (!made) throw new Error(`inputs of type ${type} are not timed`);
  return new ort.Tensor(type, made(), dims);
}

// Values of a normal distribution, the same each time.
function images(o) {
  const x = new Float32Array(o.shape.reduce((a, b) => a * b, o.batch));
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 4294967296;
  };
  for (let i = 0; i < x.length; i++)
    x[i] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return x;
}

// A session's threads go on looking for work for some 30 ms after a run, and take a processor
// from whatever runs next: returns when this process has become quiet.
async function idle() {
  for (let k = 0; k < 100; k++) {
    const before = process.cpuUsage();
    await new Promise((done) => setTimeout(done, 5));
    const u = process.cpuUsage(before);
    if (u.user + u.system < 1000) return;
  }
}

// Runs all sessions in turn, each some times in a row, the first of which do not count: a
// thread that was just woken may share a processor with the one that woke it for some time.
// Returns, per session, which of its runs counted and what they took.
async function rounds(sessions, x, o) {
  const feed = sessions.map((s) => ({ [s.inputNames[0]]: x }));
  const seen = sessions.map(() => ({ n: 0, counted: [], ms: [] }));
  const run = async (i, counts) => {
    const begin = now();
    await sessions[i].run(feed[i]);
    const ms = now() - begin;
    if (counts) {
      seen[i].counted.push(seen[i].n);
      seen[i].ms.push(ms);
    }
    seen[i].n++;
    return ms;
  };
  // returns the fastest of them
  const lead = async (i) => {
    let least = Infinity;
    for (const begin = now(); now() - begin < 10;) least = Math.min(least, await run(i, false));
    return least;
  };
  let longest = 0;
  for (let i = 0; i < sessions.length; i++) {
    await idle();
    await run(i, false);
    longest = Math.max(longest, await lead(i));
  }
  const n = Math.max(o.min, Math.min(o.max, Math.floor(o.target / longest)));
  const isShort = longest < 50;
  // short runs more often in a row, so that waiting does not take longer than running
  const burst = isShort ? Math.max(5, Math.ceil(Math.min(n / 5, 20 / longest))) : 1;
  for (let first = 0, round = 0; first < n; first += burst, round++) {
    for (let j = 0; j < sessions.length; j++) {
      const i = round % 2 ? sessions.length - 1 - j : j;
      if (sessions.length > 1) await idle();
      if (isShort) await lead(i);
      for (let k = first; k < Math.min(first + burst, n); k++) await run(i, true);
    }
  }
  return seen;
}

// The profile counts whole microseconds: equal ones are spread over their microsecond, so
// that quantiles of short times are not steps.
function spread(us) {
  us.sort((a, b) => a - b);
  for (let i = 0, j; i < us.length; i = j) {
    const k = us[i];
    for (j = i; j < us.length && us[j] === k; j++);
    for (let m = i; m < j; m++) us[m] = k + (m - i + 0.5) / (j - i);
  }
  return us.map((x) => x / 1e3);
}

function print(kind, model, name, ms) {
  process.stdout.write(`${kind} ${model} ${name} ${ms.map((x) => x.toFixed(6)).join(' ')}\n`);
}

// Sums of what nodes took in the runs that counted, by the number in their names.
function readProfile(model, seen) {
  const file = fs.readdirSync('.').find((f) => f.startsWith(`profile${model}_`));
  const counted = new Map(seen.counted.map((run, k) => [run, k]));
  const sums = new Map();
  const all = [];
  let current = new Map();
  let run = 0;
  for (const x of JSON.parse(fs.readFileSync(file, 'utf8'))) {
    if (x.cat === 'Node' && x.name.endsWith('_kernel_time')) {
      const m = /[vn]([0-9]+)_/.exec(x.name);
      const name = m ? m[0].slice(0, -1) : 'other';
      current.set(name, (current.get(name) || 0) + x.dur);
    } else if (x.cat === 'Session' && x.name === 'model_run') {
      if (counted.has(run)) {
        all.push(x.dur);
        for (const [name, us] of current) {
          if (!sums.has(name)) sums.set(name, []);
          sums.get(name).push(us);
        }
      }
      current = new Map();
      run++;
    }
  }
  for (const [name, us] of sums) print('node', model, name, spread(us));
  print('all', model, '-', spread(all));
  fs.unlinkSync(file);
}

async function main(o) {
  const [ort, version] = load();
  process.stdout.write(`version ${version}\n`);
  if (!o.models.length) return;
  const x = tensor(ort, images(o), o.type, [o.batch, ...o.shape]);
  const open = (profiled) => Promise.all(o.models.map((m, i) => ort.InferenceSession.create(m, {
    executionProviders: ['cpu'], intraOpNumThreads: o.threads, interOpNumThreads: 1,
    logSeverityLevel: 3, enableProfiling: profiled, profileFilePrefix: `profile${i}`,
  })));
  if (o.whole) {
    const sessions = await open(false);
    const seen = await rounds(sessions, x, o);
    seen.forEach((s, i) => print('run', i, '-', s.ms));
    // as many runs with the profile, whatever the machine does meanwhile
    o.min = o.max = seen[0].ms.length;
    for (const s of sessions) await s.release();
  }
  if (o.bare) return;
  const sessions = await open(true);
  const seen = await rounds(sessions, x, o);
  for (let i = 0; i < sessions.length; i++) {
    sessions[i].endProfiling();
    readProfile(i, seen[i]);
  }
}

main(options(process.argv.slice(2))).catch((e) => {
  process.stderr.write(`${String(e.message).split('\n')[0]}\n`);
  process.exit(1);
});
