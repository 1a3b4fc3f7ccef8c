/** The values of a header of Node.js, which joins or drops those that are there twice everywhere but in `rawHeaders`. */
export function valuesIn(rawHeaders: readonly string[]): (name: string) => string[] {
  return (name) => rawHeaders.filter((_, place) => place % 2 === 1 && rawHeaders[place - 1]?.toLowerCase() === name);
}
