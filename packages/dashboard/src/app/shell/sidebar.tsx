import type { ActorType } from "../api/management.ts";
import { useHref } from "../router/use-address.ts";
import { ActorIcon } from "../ui/actor-icon.tsx";
import { useCurrentInView } from "../ui/current-in-view.ts";

/** All actor types, one click away. */
export function Sidebar({
	types,
	current,
	isHome,
}: {
	types: readonly ActorType[];
	current: string | null;
	/** Whether the page about all of them is open. */
	isHome: boolean;
}) {
	const href = useHref();
	const strip = useCurrentInView(`${current} of ${types.length}`);
	return (
		<nav className="sidebar" aria-label="Actor types" ref={strip}>
			<a
				className="sidebar-link"
				href={href({ page: "types" })}
				aria-current={isHome ? "page" : undefined}
			>
				All actors
			</a>
			<ul>
				{types.map(({ name, title, icon }) => (
					<li key={name}>
						<a
							className="sidebar-link"
							href={href({ page: "actors", name, search: "" })}
							aria-current={name === current ? "page" : undefined}
						>
							<ActorIcon icon={icon} title={title} />
							<span className="truncate">{title}</span>
						</a>
					</li>
				))}
			</ul>
		</nav>
	);
}
