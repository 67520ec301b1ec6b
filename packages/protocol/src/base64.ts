/** Base64 between bytes and text, in both alphabets. */

/** `standard` is padded, `url` is not. */
export function encodeBase64(bytes: Uint8Array, alphabet: "standard" | "url" = "standard"): string {
	let binary = "";
	for (let i = 0; i < bytes.length; i++) binary += String.fromCharCode(bytes[i] as number);
	const text = btoa(binary);
	if (alphabet === "standard") return text;
	return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Accepts either alphabet, with or without padding; `null` for anything else. */
export function decodeBase64(text: string): Uint8Array | null {
	// What `atob` skips or refuses, and padding that is not whole.
	if (!/^[\w+/-]*={0,2}$/.test(text) || (text.endsWith("=") && text.length % 4 !== 0)) return null;
	try {
		const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
		const bytes = new Uint8Array(binary.length);
		for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
		return bytes;
	} catch {
		return null;
	}
}
