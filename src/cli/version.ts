import manifest from '../../package.json' with {type: 'json'};

/** This program's version, such as `1.0.0`. */
export const {version} = manifest;
