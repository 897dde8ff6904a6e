// Small pieces of linear algebra, and the reader of the stored weights.
// An embedding is an array of numbers; a tensor is { shape, data }.

/** Turn the 16 bits of a half-precision number into a number. */
export function fromHalf(bits) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Return the bytes that a base64 text stands for. */
export function fromBase64(text) {
    const characters = atob(text.trim());
    const bytes = new Uint8Array(characters.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
    return bytes.buffer;
}

/**
 * Read a safetensors file of half-precision tensors: an object with a tensor for each name. A
 * tensor is unpacked when it is first asked for.
 */
export function readTensors(buffer) {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
    const table = new Float32Array(65536);
    for (let bits = 0; bits < table.length; bits++) table[bits] = fromHalf(bits);
    const unpack = ([start, end]) => {
        const halves = new Uint16Array(buffer.slice(8 + length + start, 8 + length + end));
        const data = new Float32Array(halves.length);
        for (let i = 0; i < data.length; i++) data[i] = table[halves[i]];
        return data;
    };
    const tensors = {};
    for (const [name, { dtype, shape, data_offsets: place }] of Object.entries(header)) {
        if (name === "__metadata__") continue;
        if (dtype !== "F16") throw new Error(`${name}: ${dtype} instead of F16`);
        let data = null;
        tensors[name] = {
            shape,
            get data() {
                return (data ??= unpack(place));
            },
        };
    }
    return tensors;
}

/** Return row number i of a matrix. */
export function row(matrix, i) {
    const width = matrix.shape[1];
    return matrix.data.subarray(i * width, (i + 1) * width);
}

/** y = W x + b; four outputs at a time while there are as many, which saves a third of the time */
export function linear(x, W, b) {
    const { data } = W;
    const [outputs, n] = W.shape;
    const y = b ? b.data.slice() : new Float32Array(outputs);
    let o = 0;
    for (; o + 3 < outputs; o += 4) {
        let s0 = 0,
            s1 = 0,
            s2 = 0,
            s3 = 0;
        for (let i = 0, w = o * n; i < n; i++, w++) {
            const value = x[i];
            s0 += data[w] * value;
            s1 += data[w + n] * value;
            s2 += data[w + 2 * n] * value;
            s3 += data[w + 3 * n] * value;
        }
        y[o] += s0;
        y[o + 1] += s1;
        y[o + 2] += s2;
        y[o + 3] += s3;
    }
    for (; o < outputs; o++) y[o] += dot(data.subarray(o * n, (o + 1) * n), x);
    return y;
}

export function dot(x, y) {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
    return sum;
}

export function add(x, y) {
    const sum = new Float32Array(x.length);
    for (let i = 0; i < x.length; i++) sum[i] = x[i] + y[i];
    return sum;
}

/** Add up embeddings, each times its weight. */
export function weightedSum(weights, embeddings, width) {
    const sum = new Float32Array(width);
    for (let k = 0; k < weights.length; k++) {
        for (let i = 0; i < width; i++) sum[i] += weights[k] * embeddings[k][i];
    }
    return sum;
}

/** softmax(x)_i = exp(x_i) / sum_j exp(x_j) */
export function softmax(x) {
    const largest = Math.max(...x);
    const exps = Array.from(x, (value) => Math.exp(value - largest));
    const sum = exps.reduce((a, b) => a + b, 0);
    return exps.map((value) => value / sum);
}

/** log(sum_i exp(x_i)), without overflow */
export function logSumExp(x) {
    const largest = Math.max(...x);
    return largest + Math.log(x.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

/** LayerNorm(x) = (x - mean) / sqrt(variance + eps) * scale + shift */
export function layerNorm(x, scale, shift, eps = 1e-12) {
    let mean = 0;
    let variance = 0;
    for (let i = 0; i < x.length; i++) mean += x[i] / x.length;
    for (let i = 0; i < x.length; i++) variance += (x[i] - mean) ** 2 / x.length;
    const factor = 1 / Math.sqrt(variance + eps);
    const y = new Float32Array(x.length);
    for (let i = 0; i < x.length; i++) y[i] = (x[i] - mean) * factor * scale[i] + shift[i];
    return y;
}

/** The error function, to 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
export function erf(x) {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const series =
        ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t +
            0.254829592) *
        t;
    return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

/** GELU(x) = x Phi(x), with Phi the distribution function of the normal distribution */
export const gelu = (x) => (x * (1 + erf(x / Math.SQRT2))) / 2;

/** cos(x, y) = x . y / (|x| |y|); 0 if one of them is zero */
export function cosine(x, y) {
    return dot(x, y) / Math.max(Math.sqrt(dot(x, x)) * Math.sqrt(dot(y, y)), 1e-12);
}
