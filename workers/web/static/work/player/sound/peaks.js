/**
 * The shape of a sound: its loudest and softest value in each hundredth of a second.
 *
 * It needs the bytes, which another site gives only where it allows that (CORS), and this page's policy must allow the
 * connection. Without them the timeline is plain and everything else works.
 */

// A minute of sound decoded at this rate takes 2 MB for each channel while it is read, and 12 kB afterwards.
const RATE = 8_000;
const PER_SECOND = 100;
const BYTES_MAX = 100 * 1024 * 1024;
const SECONDS_MAX = 3_600;
const WRITTEN = /^data:[^,]*;base64,(.*)$/s;

/** {low, high, rate} with values from -1 to 1 for each piece of 1 / rate seconds; null where they cannot be had. */
export async function peaksOf(url, {length, signal}) {
  if (length > SECONDS_MAX || !globalThis.OfflineAudioContext) return null;
  try {
    const bytes = await bytesOf(url, signal);
    if (!bytes || signal.aborted) return null;
    const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
    return signal.aborted ? null : summed(sound);
  } catch {
    return null;
  }
}

async function bytesOf(url, signal) {
  // What is written into the task itself needs no connection, and the page's policy allows none to such an address.
  const written = WRITTEN.exec(url);
  if (written) return Uint8Array.from(atob(written[1]), (character) => character.charCodeAt(0)).buffer;
  const answer = await fetch(url, {signal, credentials: "same-origin"});
  if (!answer.ok || Number(answer.headers.get("Content-Length") ?? 0) > BYTES_MAX) return null;
  return answer.arrayBuffer();
}

function summed(sound) {
  const size = Math.round(sound.sampleRate / PER_SECOND);
  const count = Math.ceil(sound.length / size);
  const low = new Float32Array(count);
  const high = new Float32Array(count);
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    const values = sound.getChannelData(channel);
    for (let piece = 0, at = 0; piece < count; piece += 1) {
      const until = Math.min(values.length, at + size);
      for (; at < until; at += 1) {
        if (values[at] < low[piece]) low[piece] = values[at];
        if (values[at] > high[piece]) high[piece] = values[at];
      }
    }
  }
  return {low, high, rate: sound.sampleRate / size};
}
