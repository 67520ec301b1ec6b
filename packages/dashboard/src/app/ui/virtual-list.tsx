import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef } from "react";
import "./virtual-list.css";

export interface VirtualListProps<T> {
	readonly items: readonly T[];
	/** Read out. */
	readonly label: string;
	readonly keyOf: (item: T) => string | number;
	/** Pixels of a row before it is measured. */
	readonly rowHeight?: number;
	readonly children: (item: T, index: number) => ReactNode;
	/** Below the last row. */
	readonly footer?: ReactNode;
	readonly className?: string;
	/** Called when the last rows come near: the next page can be asked for. Undefined while it cannot. */
	readonly onEnd?: (() => void) | undefined;
}

/** How many rows before the last one the next page is asked for. */
const END_ROWS = 30;

/** A list that holds only the rows that are seen: any length is fine. */
export function VirtualList<T>(props: VirtualListProps<T>) {
	const { items, label, keyOf, rowHeight = 34, children, footer, className = "", onEnd } = props;
	const scroller = useRef<HTMLDivElement>(null);
	const virtualizer = useVirtualizer({
		count: items.length,
		getScrollElement: () => scroller.current,
		estimateSize: () => rowHeight,
		getItemKey: (index) => keyOf(items[index]!),
		overscan: 12,
	});
	const lastSeen = virtualizer.getVirtualItems().at(-1)?.index ?? 0;
	const isNearEnd = lastSeen >= items.length - END_ROWS;
	const canGoOn = onEnd !== undefined;
	// biome-ignore lint/correctness/useExhaustiveDependencies: asked again when the list has grown and its end is near still.
	useEffect(() => {
		if (isNearEnd && canGoOn) onEnd();
	}, [isNearEnd, canGoOn, items.length]);
	/** Nothing comes below it. */
	const isLast = (index: number) => index === items.length - 1 && !footer;
	return (
		// biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
		<section ref={scroller} className={`virtual ${className}`} tabIndex={0} aria-label={label}>
			<ul className="virtual-rows" style={{ height: virtualizer.getTotalSize() }}>
				{virtualizer.getVirtualItems().map((row) => (
					<li
						key={row.key}
						ref={virtualizer.measureElement}
						data-index={row.index}
						aria-posinset={row.index + 1}
						aria-setsize={items.length}
						className={isLast(row.index) ? "virtual-row is-last" : "virtual-row"}
						style={{ transform: `translateY(${row.start}px)` }}
					>
						{children(items[row.index]!, row.index)}
					</li>
				))}
			</ul>
			{footer}
		</section>
	);
}
