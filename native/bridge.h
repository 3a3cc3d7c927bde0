// Work that waits for the disk, off the event loop, and its promise. POSIX only, as durable.h.
//
// The threads are the addon's own: a round trip through them costs less than one through libuv's pool, and what else
// fills that pool does not hold a journal up. A task belongs to the queue, then to the thread that runs it, then to the
// thread-safe function, which brings it back to JavaScript.
#pragma once

#include "durable.h"

#if !defined(_WIN32)

#include <node_api.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace longhaul {

class Bridge {
 public:
  explicit Bridge(napi_env env) : env_(env) {}
  ~Bridge() { stop(); }
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  // Runs `work` on a thread and returns the promise of its outcome; the object `kept`, if any, stays alive until then.
  // The promise resolves with Outcome::supported, or rejects with an Error that has `errno` and `syscall`. Returns
  // nullptr when it cannot even begin.
  napi_value run(napi_value kept, std::function<Outcome()> work);

 private:
  struct Task {
    std::function<Outcome()> work;
    Outcome outcome;
    napi_deferred deferred = nullptr;
    napi_ref kept = nullptr;
  };

  bool start_function();
  bool start_thread();
  void serve();
  void stop();
  void settle(napi_env env, const Task& task);
  static napi_value error_of(napi_env env, const Outcome& outcome);

  napi_env env_;
  napi_threadsafe_function back_ = nullptr;
  // Touched by JavaScript's thread alone: tasks under way, which keep the event loop alive.
  size_t pending_ = 0;
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable work_there_;
  std::deque<std::unique_ptr<Task>> queue_;
  size_t working_ = 0;
  bool stopping_ = false;
};

}  // namespace longhaul

#endif
