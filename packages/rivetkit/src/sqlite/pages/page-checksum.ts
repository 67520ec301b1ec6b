/** Bytes of one page of an actor's database: SQLite's default, and the only size there is. */
export const PAGE_BYTES = 4096;
export const PAGE_WORDS: number = PAGE_BYTES / 4;

/** The words of a page. Its bytes must begin at a multiple of four. */
export function wordsOf(page: Uint8Array): Int32Array {
	return new Int32Array(page.buffer, page.byteOffset, PAGE_WORDS);
}

/**
 * Of one page, as 32 bits: tells that a page restored from its parts is the page that was written. Two sums
 * over words, each taking in the other, as in SQLite's checksum of write-ahead logs
 * (https://sqlite.org/fileformat2.html#checksum_algorithm), with words in the machine's order.
 */
export function pageChecksum(page: Uint8Array): number {
	const words = wordsOf(page);
	let first = 0;
	let second = 0;
	for (let index = 0; index < PAGE_WORDS; index += 2) {
		first = (first + words[index]! + second) | 0;
		second = (second + words[index + 1]! + first) | 0;
	}
	return (first ^ ((second << 16) | (second >>> 16))) >>> 0;
}
