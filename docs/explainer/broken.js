// What a visitor sees of a page that does not start, or fails later: a line instead of silence.
// Without this script, in a cut file or an old browser, the line in index.html stays.
import { $ } from "./dom.js";

export function reportFault(error) {
    $("#broken").hidden = false;
    $("#broken").textContent =
        `This page has failed: ${error?.message ?? error}. Load it anew, or get a new copy of the file.`;
}
addEventListener("error", (event) => reportFault(event.error ?? event.message));
addEventListener("unhandledrejection", (event) => reportFault(event.reason));

/** Adler-32, as zlib computes it: a damaged copy has another sum. */
export function checksum(bytes) {
    let [a, b] = [1, 0];
    for (const byte of bytes) {
        a = (a + byte) % 65521;
        b = (b + a) % 65521;
    }
    return b * 65536 + a;
}

export function checkWeights(buffer, wanted) {
    if (checksum(new Uint8Array(buffer)) !== Number(wanted))
        throw new Error("its weights are damaged");
}
