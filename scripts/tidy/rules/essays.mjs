// Each .c of src/ opens with why it is the way it is.
const wantedLines = 2;
const wantedCharacters = 120;

export function essays(tree) {
    return tree.matching(/^src\/.*\.c$/).flatMap((path) => {
        const opening = /^\s*\/\*([\s\S]*?)\*\//.exec(tree.text(path))?.[1] ?? '';
        const prose = opening
            .split('\n')
            .map((line) => line.replace(/^\s*\*?\s*/, '').trim())
            .filter((line) => line !== '');
        const size = prose.join(' ').length;
        if (prose.length >= wantedLines && size >= wantedCharacters) return [];
        const has = size === 0 ? 'no comment' : `${prose.length} lines, ${size} characters`;
        const text =
            `the file opens with ${has}, not with why it is the way it is ` +
            `(at least ${wantedLines} lines, ${wantedCharacters} characters)`;
        return [{ path, line: 1, text }];
    });
}
