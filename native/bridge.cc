#include "bridge.h"

#if !defined(_WIN32)

#include <csignal>
#include <system_error>
#include <utility>

namespace longhaul {
namespace {

bool failed(napi_status status) { return status != napi_ok; }

// A call of the system, and its outcome.
class SystemJob : public Job {
 public:
  explicit SystemJob(std::function<Outcome()> work) : work_(std::move(work)) {}

  void work(const std::atomic<bool>&) override { outcome_ = work_(); }

  void settle(napi_env env, napi_deferred deferred) override {
    napi_value result = nullptr;
    if (outcome_.error != 0) {
      result = error_of(env, outcome_);
      if (result != nullptr) napi_reject_deferred(env, deferred, result);
    } else if (napi_get_boolean(env, outcome_.supported, &result) == napi_ok) {
      napi_resolve_deferred(env, deferred, result);
    }
  }

 private:
  std::function<Outcome()> work_;
  Outcome outcome_;
};

}  // namespace

napi_value error_of(napi_env env, const Outcome& outcome) {
  napi_value message = nullptr;
  napi_value number = nullptr;
  napi_value error = nullptr;
  const bool made = napi_create_string_utf8(env, outcome.operation, NAPI_AUTO_LENGTH, &message) == napi_ok &&
                    napi_create_int32(env, -outcome.error, &number) == napi_ok &&
                    napi_create_error(env, nullptr, message, &error) == napi_ok &&
                    napi_set_named_property(env, error, "errno", number) == napi_ok &&
                    napi_set_named_property(env, error, "syscall", message) == napi_ok;
  return made ? error : nullptr;
}

// Plain Node-API here, and every status may be a failure: while a worker is being terminated, calls into JavaScript are
// refused, and a wrapper that throws or aborts on that would take the process with it.

napi_value Bridge::run(napi_value kept, std::function<Outcome()> work) {
  return run(kept, std::make_unique<SystemJob>(std::move(work)));
}

napi_value Bridge::run(napi_value kept, std::unique_ptr<Job> job, const void* lane) {
  if (stopping_ || !start_function() || !start_thread()) return nullptr;
  auto task = std::make_unique<Task>();
  task->job = std::move(job);
  task->lane = lane;
  napi_value promise = nullptr;
  if (failed(napi_create_promise(env_, &task->deferred, &promise))) return nullptr;
  if (kept != nullptr && failed(napi_create_reference(env_, kept, 1, &task->kept))) return nullptr;
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, back_);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto busy = lane == nullptr ? lanes_.end() : lanes_.find(lane);
    if (busy != lanes_.end()) {
      busy->second.push_back(std::move(task));
    } else {
      if (lane != nullptr) lanes_[lane];
      queue_.push_back(std::move(task));
    }
  }
  work_there_.notify_one();
  return promise;
}

bool Bridge::start_function() {
  if (back_ != nullptr) return true;
  napi_value name = nullptr;
  if (failed(napi_create_string_utf8(env_, "longhaul", NAPI_AUTO_LENGTH, &name))) return false;
  const auto settle_one = [](napi_env env, napi_value, void* bridge, void* data) {
    const std::unique_ptr<Task> task(static_cast<Task*>(data));
    // Without an environment it is being torn down, and takes its promises and references along.
    if (env != nullptr) static_cast<Bridge*>(bridge)->settle(env, *task);
  };
  if (failed(napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, settle_one,
                                             &back_))) {
    return false;
  }
  napi_unref_threadsafe_function(env_, back_);
  // Runs before the function's own, which was added earlier: no thread is left that could call a function that is gone.
  return napi_add_env_cleanup_hook(env_, [](void* bridge) { static_cast<Bridge*>(bridge)->stop(); }, this) == napi_ok;
}

// One more thread when all are taken; false when there is none at all.
bool Bridge::start_thread() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (working_ + queue_.size() < threads_.size()) return true;
  }
  if (threads_.size() == threads_max_) return true;
  try {
    threads_.emplace_back([this] { serve(); });
  } catch (const std::system_error&) {
    return !threads_.empty();
  }
  return true;
}

void Bridge::serve() {
  // Signals are for the threads that were there before; here they would only interrupt a write.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_there_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::unique_ptr<Task> task = std::move(queue_.front());
    queue_.pop_front();
    working_++;
    lock.unlock();
    const void* lane = task->lane;
    task->job->work(stopping_);
    lock.lock();
    // Free again before JavaScript hears of it, or its next call would start a thread for nothing.
    working_--;
    lock.unlock();
    if (napi_call_threadsafe_function(back_, task.get(), napi_tsfn_nonblocking) == napi_ok) task.release();
    lock.lock();
    // Not earlier, or the next of the lane, on another thread, might be told of first.
    if (lane != nullptr) advance(lane);
  }
}

// Puts the next task of a lane into the queue; with the lock held.
void Bridge::advance(const void* lane) {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return;
  if (found->second.empty()) {
    lanes_.erase(found);
  } else {
    queue_.push_back(std::move(found->second.front()));
    found->second.pop_front();
  }
}

void Bridge::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    // What no thread has begun is not done any more: nobody is left to be told.
    queue_.clear();
    lanes_.clear();
  }
  work_there_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Bridge::settle(napi_env env, const Task& task) {
  if (--pending_ == 0) napi_unref_threadsafe_function(env, back_);
  task.job->settle(env, task.deferred);
  if (task.kept != nullptr) napi_delete_reference(env, task.kept);
}

}  // namespace longhaul

#endif
