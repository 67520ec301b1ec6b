import { type RefObject, useEffect, useRef } from "react";

/**
 * Keeps the link to the open page near the middle of a strip of links that scrolls sideways, as on a phone; the strip begins
 * with a whole link.
 * Moves the strip only, never the page.
 * @param links what it depends on: which links there are and which of them is the open page's
 */
export function useCurrentInView(links: string): RefObject<HTMLElement | null> {
	const strip = useRef<HTMLElement>(null);
	// biome-ignore lint/correctness/useExhaustiveDependencies: other links have other places.
	useEffect(() => {
		const nav = strip.current;
		if (nav === null) return;
		// Also looks as soon as it begins.
		const observer = new ResizeObserver(() => {
			const link = nav.querySelector('[aria-current="page"]');
			if (link === null) return;
			const [outer, inner] = [nav.getBoundingClientRect(), link.getBoundingClientRect()];
			nav.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
			const cut = Array.from(nav.querySelectorAll("a"), (one) => one.getBoundingClientRect()).find(
				({ left, right }) => left < outer.left && right > outer.left,
			);
			if (cut !== undefined) nav.scrollLeft -= outer.left - cut.left;
		});
		observer.observe(nav);
		return () => observer.disconnect();
	}, [links]);
	return strip;
}
