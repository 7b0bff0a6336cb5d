// Does with prom-client what standard input says: a line of JSON with the
// settings, then a line for each call. Writes for each call a line of JSON:
// "ok <status>", or the error's text.
'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const readline = require('readline');
const client = require('prom-client');

function optionsOf(plan) {
	const secure = plan.url.startsWith('https:');
	const options = { agent: new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 1 }) };
	if (plan.user) options.auth = `${plan.user}:${plan.password}`;
	for (const option of ['ca', 'cert', 'key']) {
		if (plan[option]) options[option] = fs.readFileSync(plan[option]);
	}
	if (plan.gzip) options.headers = { 'Content-Encoding': 'gzip' };
	if (plan.noJob) options.requireJobName = false;
	return options;
}

// registryOf has a gauge for each name, and with all also the other types.
function registryOf(call) {
	const registry = new client.Registry();
	for (const [name, value] of Object.entries(call.metrics || {})) {
		new client.Gauge({ name, help: `help of ${name}`, registers: [registry] }).set(value);
	}
	if (call.all) {
		const registers = [registry];
		new client.Counter({ name: 'c_total', help: 'c', labelNames: ['l'], registers }).inc({ l: 'a "b"\n\\' }, 2);
		new client.Histogram({ name: 'h', help: 'h', buckets: [1, 5], registers }).observe(3);
		new client.Summary({ name: 's', help: 's', percentiles: [0.5], registers }).observe(4);
	}
	return registry;
}

async function push(plan, options, call) {
	const gateway = new client.Pushgateway(plan.url, options, registryOf(call));
	try {
		const { resp } = await gateway[call.verb]({ jobName: call.job, groupings: call.grouping });
		return `ok ${resp.statusCode}`;
	} catch (err) {
		return String(err.message);
	}
}

async function main() {
	let plan, options;
	for await (const line of readline.createInterface({ input: process.stdin })) {
		if (!plan) {
			plan = JSON.parse(line);
			options = optionsOf(plan);
		} else {
			process.stdout.write(JSON.stringify(await push(plan, options, JSON.parse(line))) + '\n');
		}
	}
	options.agent.destroy();
}

main();
