import { act, type ReactNode } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";

/** A component in the page. */
export interface Page {
	readonly container: HTMLElement;
	rerender(node: ReactNode): void;
	unmount(): void;
}

const pages = new Set<Page>();

/** Puts it into the page; its effects have run when this returns. */
export function render(node: ReactNode): Page {
	const container = document.body.appendChild(document.createElement("div"));
	const page = pageOf(container, createRoot(container));
	page.rerender(node);
	return page;
}

/** Takes over what a server has rendered; `onError` hears where the two differ. */
export function hydrate(html: string, node: ReactNode, onError: (error: unknown) => void): Page {
	const container = document.body.appendChild(document.createElement("div"));
	container.innerHTML = html;
	let root!: Root;
	now(() => {
		root = hydrateRoot(container, node, { onRecoverableError: onError });
	});
	return pageOf(container, root);
}

function pageOf(container: HTMLElement, root: Root): Page {
	const page: Page = {
		container,
		rerender: (next) => now(() => root.render(next)),
		unmount: () => {
			if (!pages.delete(page)) return;
			now(() => root.unmount());
			container.remove();
		},
	};
	pages.add(page);
	return page;
}

/** Does it, and all that React has to do because of it. */
export function now(work: () => void): void {
	const flags = globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean };
	flags.IS_REACT_ACT_ENVIRONMENT = true;
	try {
		act(work);
	} finally {
		flags.IS_REACT_ACT_ENVIRONMENT = false;
	}
}

export function unmountAll(): void {
	for (const page of [...pages]) page.unmount();
}
