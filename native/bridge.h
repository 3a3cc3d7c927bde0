// Work that waits for the disk or takes its time, off the event loop, and its promise. POSIX only, as durable.h.
//
// The threads are the addon's own: a round trip through them costs less than one through libuv's pool, and what else
// fills that pool does not hold a journal up. A task belongs to the queue or its lane, then to the thread that runs it,
// then to the thread-safe function, which brings it back to JavaScript.
#pragma once

#include "durable.h"

#if !defined(_WIN32)

#include <node_api.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace longhaul {

// An error as Node's own for a call of the system that failed: `errno` and `syscall`. Code and message are Node's table,
// which the TypeScript side has at hand. Null when nothing can be made any more.
napi_value error_of(napi_env env, const Outcome& outcome);

// What a thread does, and how JavaScript's thread tells of it afterwards. Destroyed on either.
class Job {
 public:
  virtual ~Job() = default;
  // Throws nothing. Once `leaving` is true nobody waits for the result any more, and work that takes long ends early.
  virtual void work(const std::atomic<bool>& leaving) = 0;
  // Resolves or rejects. Any call may fail while a worker is being terminated, and then there is nobody to tell.
  virtual void settle(napi_env env, napi_deferred deferred) = 0;
};

class Bridge {
 public:
  // As many journals as can wait for their disks at a time; more wait for each other.
  static constexpr size_t kThreadsMax = 4;

  explicit Bridge(napi_env env, size_t threads_max = kThreadsMax) : env_(env), threads_max_(threads_max) {}
  ~Bridge() { stop(); }
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  // Runs `work` on a thread and returns the promise of its outcome; the object `kept`, if any, stays alive until then.
  // The promise resolves with Outcome::supported, or rejects with an Error that has `errno` and `syscall`. Returns
  // nullptr when it cannot even begin.
  napi_value run(napi_value kept, std::function<Outcome()> work);

  // The same for any job. Jobs of one lane, which any address may name, run and settle one after another, in order.
  napi_value run(napi_value kept, std::unique_ptr<Job> job, const void* lane = nullptr);

 private:
  struct Task {
    std::unique_ptr<Job> job;
    const void* lane = nullptr;
    napi_deferred deferred = nullptr;
    napi_ref kept = nullptr;
  };

  bool start_function();
  bool start_thread();
  void serve();
  void advance(const void* lane);
  void stop();
  void settle(napi_env env, const Task& task);

  napi_env env_;
  const size_t threads_max_;
  napi_threadsafe_function back_ = nullptr;
  // Touched by JavaScript's thread alone: tasks under way, which keep the event loop alive.
  size_t pending_ = 0;
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable work_there_;
  std::deque<std::unique_ptr<Task>> queue_;
  // Lanes of which a task is queued or runs, and those that wait for it.
  std::unordered_map<const void*, std::deque<std::unique_ptr<Task>>> lanes_;
  size_t working_ = 0;
  std::atomic<bool> stopping_{false};
};

}  // namespace longhaul

#endif
