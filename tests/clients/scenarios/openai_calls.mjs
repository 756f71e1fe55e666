// The `openai` client for JavaScript, as OpenAI's documentation has it. Speaks on stdin and stdout as run.py does.
// Each function is the one of the same name in openai_chat.py, openai_responses.py and openai_errors.py.

import { createInterface } from "node:readline";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const IMAGE_URL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

const WEATHER = {
  type: "object",
  properties: { location: { type: "string", description: "City and country e.g. Bogotá, Colombia" } },
  required: ["location"],
  additionalProperties: false,
};
const DESCRIPTION = "Get current temperature for a given location.";
const CHAT_TOOL = {
  type: "function",
  function: { name: "get_weather", description: DESCRIPTION, parameters: WEATHER, strict: true },
};
const TOOL = { type: "function", name: "get_weather", description: DESCRIPTION, parameters: WEATHER, strict: true };

const CalendarEvent = z.object({ name: z.string(), date: z.string(), participants: z.array(z.string()) });

const getWeather = (location) => JSON.stringify({ location, temperature: 14 });

let known;
async function model() {
  known ??= (await new OpenAI().models.list()).data[0].id;
  return known;
}

async function caught(call) {
  try {
    return { kind: null, text: await call() };
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    const { status = null, code = null, param = null, type = null, message } = error;
    return { kind: error.constructor.name, status, code, param, type, message };
  }
}

const scenarios = {
  async models() {
    const client = new OpenAI();
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return { ids, one: await client.models.retrieve(ids.at(-1)) };
  },

  async chat() {
    const completion = await new OpenAI().chat.completions.create({
      model: await model(),
      messages: [
        { role: "developer", content: "Talk like a pirate." },
        { role: "user", content: "How do I check if a Python object is an instance of a class?" },
      ],
    });
    return { ...completion, text: completion.choices[0].message.content, asked: await model() };
  },

  async chat_stream() {
    const stream = await new OpenAI().chat.completions.create({
      model: await model(),
      messages: [{ role: "user", content: "Say 'double bubble bath' ten times fast." }],
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const choices = chunks.filter((chunk) => chunk.choices.length).map((chunk) => chunk.choices[0]);
    return {
      pieces: choices.map((choice) => choice.delta.content).filter(Boolean),
      first: chunks[0],
      finish: choices.at(-1).finish_reason,
      usage: chunks.at(-1).usage,
      ids: new Set(chunks.map((chunk) => chunk.id)).size,
    };
  },

  async chat_stream_helper() {
    const types = [];
    const stream = new OpenAI().chat.completions
      .stream({ model: await model(), messages: [{ role: "user", content: "Say this is a test" }] })
      .on("content.delta", () => types.push("content.delta"))
      .on("content.done", () => types.push("content.done"));
    return { ...(await stream.finalChatCompletion()), types };
  },

  async chat_parsed() {
    const completion = await new OpenAI().chat.completions.parse({
      model: await model(),
      messages: [
        { role: "system", content: "Extract the event information." },
        { role: "user", content: "Alice and Bob are going to a science fair on Friday." },
      ],
      response_format: zodResponseFormat(CalendarEvent, "event"),
    });
    return { kind: "CalendarEvent", value: completion.choices[0].message.parsed };
  },

  async chat_parsed_from_a_stream() {
    const stream = new OpenAI().chat.completions.stream({
      model: await model(),
      messages: [{ role: "user", content: "Alice and Bob are going to a science fair on Friday." }],
      response_format: zodResponseFormat(CalendarEvent, "event"),
    });
    const completion = await stream.finalChatCompletion();
    return { kind: "CalendarEvent", value: completion.choices[0].message.parsed };
  },

  async chat_schema() {
    const completion = await new OpenAI().chat.completions.create({
      model: await model(),
      messages: [{ role: "user", content: "Is 91 prime?" }],
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "answer",
          strict: true,
          schema: {
            type: "object",
            properties: { why: { type: "string" }, prime: { type: "boolean" } },
            required: ["why", "prime"],
            additionalProperties: false,
          },
        },
      },
    });
    return completion.choices[0].message.content;
  },

  async chat_json() {
    const completion = await new OpenAI().chat.completions.create({
      model: await model(),
      messages: [
        { role: "system", content: "You are a helpful assistant designed to output JSON." },
        { role: "user", content: "Who won the world series in 2020?" },
      ],
      response_format: { type: "json_object" },
    });
    return JSON.parse(completion.choices[0].message.content);
  },

  // The helper that makes the calls itself.
  async chat_tools() {
    const finishes = [];
    const runner = new OpenAI().chat.completions
      .runTools({
        model: await model(),
        messages: [{ role: "user", content: "What's the weather in Paris and in Bogotá?" }],
        tools: [
          {
            type: "function",
            function: {
              ...CHAT_TOOL.function,
              parse: JSON.parse,
              function: ({ location }) => getWeather(location),
            },
          },
        ],
      })
      .on("chatCompletion", (completion) => finishes.push(completion.choices[0].finish_reason));
    return { text: await runner.finalContent(), finishes };
  },

  async chat_stream_of_calls() {
    const stream = await new OpenAI().chat.completions.create({
      model: await model(),
      messages: [{ role: "user", content: "What's the weather in Paris and in Bogotá?" }],
      tools: [CHAT_TOOL],
      stream: true,
    });
    const calls = [];
    let finish = null;
    for await (const { choices } of stream) {
      finish = choices[0].finish_reason ?? finish;
      for (const call of choices[0].delta.tool_calls ?? []) {
        calls[call.index] ??= { id: call.id, name: call.function.name, arguments: "" };
        calls[call.index].arguments += call.function.arguments;
      }
    }
    return { calls, finish };
  },

  async chat_image() {
    const completion = await new OpenAI().chat.completions.create({
      model: await model(),
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is in this image?" },
            { type: "image_url", image_url: { url: IMAGE_URL } },
          ],
        },
      ],
    });
    return { text: completion.choices[0].message.content, sent: IMAGE_URL };
  },

  async chat_length() {
    const client = new OpenAI();
    const messages = [{ role: "user", content: "Write a long story." }];
    const given = { model: await model(), messages, max_completion_tokens: 16 };
    const { finish_reason, message } = (await client.chat.completions.create(given)).choices[0];
    const response_format = zodResponseFormat(CalendarEvent, "event");
    let refused = false;
    try {
      await client.chat.completions.parse({ ...given, response_format });
    } catch (error) {
      if (error.constructor.name !== "LengthFinishReasonError") throw error;
      refused = true;
    }
    return { finish: finish_reason, text: message.content, "parse refused": refused };
  },

  async chat_at_once() {
    const client = new OpenAI();
    const name = await model();
    const ask = async (content) => {
      const completion = await client.chat.completions.create({ model: name, messages: [{ role: "user", content }] });
      return completion.choices[0].message.content;
    };
    return await Promise.all(["one", "two", "three"].map(ask));
  },

  async respond() {
    const response = await new OpenAI().responses.create({
      model: await model(),
      instructions: "Talk like a pirate.",
      input: "Are semicolons optional in JavaScript?",
    });
    return { ...response, text: response.output_text, asked: await model() };
  },

  async respond_stream() {
    const stream = await new OpenAI().responses.create({
      model: await model(),
      input: [{ role: "user", content: "Say 'double bubble bath' ten times fast." }],
      stream: true,
    });
    const events = [];
    for await (const event of stream) events.push(event);
    return {
      types: events.map((event) => event.type),
      text: events.map((event) => (event.type === "response.output_text.delta" ? event.delta : "")).join(""),
      numbers: events.map((event) => event.sequence_number),
      last: events.at(-1).response,
    };
  },

  async respond_stream_helper() {
    const types = [];
    const stream = new OpenAI().responses.stream({ model: await model(), input: "Say this is a test" });
    for await (const event of stream) types.push(event.type);
    const response = await stream.finalResponse();
    return { types, text: response.output_text, status: response.status };
  },

  async respond_parsed() {
    const response = await new OpenAI().responses.parse({
      model: await model(),
      input: [
        { role: "system", content: "Extract the event information." },
        { role: "user", content: "Alice and Bob are going to a science fair on Friday." },
      ],
      text: { format: zodTextFormat(CalendarEvent, "event") },
    });
    return { kind: "CalendarEvent", value: response.output_parsed };
  },

  async respond_parsed_from_a_stream() {
    const stream = new OpenAI().responses.stream({
      model: await model(),
      input: "Alice and Bob are going to a science fair on Friday.",
      text: { format: zodTextFormat(CalendarEvent, "event") },
    });
    return { kind: "CalendarEvent", value: (await stream.finalResponse()).output_parsed };
  },

  async respond_image() {
    const response = await new OpenAI().responses.create({
      model: await model(),
      input: [
        {
          role: "user",
          content: [
            { type: "input_text", text: "what's in this image?" },
            { type: "input_image", image_url: IMAGE_URL, detail: "auto" },
          ],
        },
      ],
    });
    return { text: response.output_text, sent: IMAGE_URL };
  },

  async respond_length() {
    const input = "Write a long story.";
    const response = await new OpenAI().responses.create({ model: await model(), input, max_output_tokens: 16 });
    return { status: response.status, reason: response.incomplete_details?.reason, text: response.output_text };
  },

  async respond_tools() {
    const client = new OpenAI();
    const input = [{ role: "user", content: "What's the weather in Paris and in Bogotá?" }];
    const kinds = [];
    for (;;) {
      const include = ["reasoning.encrypted_content"];
      const asked = { model: await model(), tools: [TOOL], input, include, store: false };
      const response = await client.responses.create(asked);
      kinds.push(response.output.map((item) => item.type));
      input.push(...response.output);
      const calls = response.output.filter((item) => item.type === "function_call");
      if (!calls.length) return { text: response.output_text, kinds };
      for (const call of calls) {
        const output = getWeather(JSON.parse(call.arguments).location);
        input.push({ type: "function_call_output", call_id: call.call_id, output });
      }
    }
  },

  async raised(more) {
    const client = new OpenAI({ maxRetries: 5 });
    const asked = { model: await model(), messages: [{ role: "user", content: "hello" }], ...more };
    return await caught(async () => (await client.chat.completions.create(asked)).choices[0].message.content);
  },

  async without_a_token() {
    const client = new OpenAI({ apiKey: "sk-not-a-token" });
    const asked = { model: await model(), messages: [{ role: "user", content: "hello" }] };
    return await caught(async () => (await client.chat.completions.create(asked)).choices[0].message.content);
  },

  async respond_raised(more) {
    const client = new OpenAI({ maxRetries: 5 });
    const asked = { model: await model(), input: "hello", ...more };
    return await caught(async () => (await client.responses.create(asked)).output_text);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, given] = JSON.parse(line);
  let answer;
  try {
    answer = { result: await scenarios[name](given) };
  } catch (error) {
    answer = { raised: error.stack };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
