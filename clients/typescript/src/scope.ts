/** Whether one of the scopes is the one that was asked for, or all of its family. */
export function grants(scopes: readonly string[], asked: string): boolean {
  return scopes.includes(asked) || scopes.includes(`${asked.split(":")[0]}:*`);
}
