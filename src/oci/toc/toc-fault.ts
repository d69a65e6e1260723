/** Why a layer's table of contents cannot be used, in words; the layer is then read whole. */
export class TocFault extends Error {
	override readonly name = "TocFault";
}
