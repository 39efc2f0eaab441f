/** Recorded text, with characters that cannot be seen, or that change the order of others, written out. */

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\p{Cs}]/gu;

/** Return the text with each such character as `⟨U+202E⟩`. Line feeds and tabs stay. */
export function visible(text) {
  return text.replace(UNSEEN, (one) => `⟨U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}
