#include "tree_job.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "tree_work.hpp"

namespace filetree::compare {
namespace {

// Of the descriptors that may be open, what each tree may keep for its directories: more than the
// depth of most is of little use, and other comparisons, and the files that threads read, need the
// rest.
std::size_t capacity(const FileSystem& fs) {
    return std::clamp<std::size_t>(fs.descriptor_budget() / 16, 4, 64);
}

}  // namespace

void fail_at_top(int error, const std::string& path) {
    throw CompareError(error == ENOENT ? CompareFailure::not_found : CompareFailure::unreadable,
                       error, path);
}

TreeJob::TreeJob(const std::shared_ptr<FileSystem>& fs, std::string top_a, std::string top_b,
                 TreeOptions options)
    : options_(std::move(options)),
      ignore_(options_.ignore),
      a_(fs, std::move(top_a), capacity(*fs)),
      b_(fs, std::move(top_b), capacity(*fs)) {
    if (options_.files.max_workers != 0) limit_ = options_.files.max_workers;
}

Job::Piece TreeJob::take() {
    if (!begun_) {
        begun_ = true;
        return [this] { open_tops(); };
    }
    for (Stack* const stack : {&open_, &stack_}) {
        while (!stack->empty() && stack->back()->exhausted()) stack->pop_back();
        if (stack->empty()) continue;
        const std::shared_ptr<TreeWork> work = stack->back();
        return work->claim(work);
    }
    return {};
}

bool TreeJob::has_more() const {
    if (!begun_) return true;
    const auto more = [](const auto& work) { return !work->exhausted(); };
    return std::any_of(open_.begin(), open_.end(), more) ||
           std::any_of(stack_.begin(), stack_.end(), more);
}

void TreeJob::push(std::shared_ptr<TreeWork> work) {
    const std::lock_guard guard(mutex_);
    stack_.push_back(std::move(work));
}

void TreeJob::push_open(std::shared_ptr<TreeWork> work) {
    const std::lock_guard guard(mutex_);
    open_.push_back(std::move(work));
}

void TreeJob::open_tops() {
    CallContext context(stop_flag());
    auto a = open_top(a_, context);
    const bool alone = b_.top.empty();
    auto b = alone ? Result<HeldNode>{{}, 0} : open_top(b_, context);
    if (is_worth_another_try(a.ok() ? b.error : a.error)) {
        const std::lock_guard guard(mutex_);
        begun_ = false;
        return;
    }
    if (!a.ok()) fail_at_top(a.error, a_.top);
    if (!b.ok()) fail_at_top(b.error, b_.top);
    compare_directories(*this, std::move(a.value), std::move(b.value), context);
}

void TreeJob::finish(PairReader& files, const std::function<std::string()>& path) {
    files.check_unchanged();
    files_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(files.bytes_read(), std::memory_order_relaxed);
    if (const auto reason = reason_of(files.difference())) differs(path(), *reason);
}

bool TreeJob::is_worth_another_try(int error) {
    if (!is_out_of_descriptors(error)) return false;
    a_.open.keep_nothing();
    b_.open.keep_nothing();
    return shortage_.is_worth_another_try(error);
}

void TreeJob::differs(std::string path, DiffReason reason) {
    const std::lock_guard guard(found_mutex_);
    found_.diff.emplace_back(std::move(path), reason);
}

void TreeJob::is_only_in(const Tree& tree, std::string path) {
    const std::lock_guard guard(found_mutex_);
    (&tree == &a_ ? found_.only_left : found_.only_right).push_back(std::move(path));
}

void TreeJob::fails(std::string path, std::string what) {
    const std::lock_guard guard(found_mutex_);
    found_.errors.emplace_back(std::move(path), std::move(what));
}

void TreeJob::release() noexcept {
    open_.clear();
    stack_.clear();
}

void TreeJob::conclude() { std::sort(found_.errors.begin(), found_.errors.end()); }

}  // namespace filetree::compare
