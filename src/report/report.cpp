#include "filetree/report.hpp"

#include "filetree/checkpoint.hpp"
#include "shared.hpp"

namespace filetree {

Report::Report(const ReportOptions& options, std::shared_ptr<Checkpoint> checkpoint)
    : shared_(std::make_shared<Shared>(options.spill_directory)),
      checkpoint_(std::move(checkpoint)) {}
Report::~Report() = default;

std::optional<int> Report::wait_started(std::chrono::nanoseconds timeout) {
    return walk_->wait_started(timeout);
}

WalkProgress Report::progress() const {
    WalkProgress progress = walk_->progress();
    const std::lock_guard lock(shared_->mutex);
    progress.errors += shared_->errors.size();
    if (shared_->spill) progress.spilled = shared_->spill->written();
    if (checkpoint_) add_progress(checkpoint_->totals_before().progress, progress);
    return progress;
}

std::vector<EntryError> Report::errors() const {
    std::vector<EntryError> errors;
    if (checkpoint_) errors = checkpoint_->errors_before();
    const std::vector<EntryError> of_walk = walk_->errors();
    errors.insert(errors.end(), of_walk.begin(), of_walk.end());
    const std::lock_guard lock(shared_->mutex);
    errors.insert(errors.end(), shared_->errors.begin(), shared_->errors.end());
    return errors;
}

ReportNotes Report::notes() const {
    const std::lock_guard lock(shared_->mutex);
    const std::uint64_t before = checkpoint_ ? checkpoint_->totals_before().clamped_times : 0;
    return {before + shared_->clamped_times.load(std::memory_order_relaxed),
            shared_->bad_paths_seen};
}

std::vector<std::string> Report::take_bad_paths() {
    const std::lock_guard lock(shared_->mutex);
    return std::exchange(shared_->bad_paths, {});
}

Mark Report::last_mark() const {
    // By now every mark has been taken and committed.
    const ErrorCounts since = checkpoint_ ? checkpoint_->errors_committed() : ErrorCounts{};
    Mark mark = shared_->mark({{}, walk_->progress(), walk_->errors()}, since);
    mark.last = true;
    return mark;
}

WalkRests Report::rests(std::function<void(const std::shared_ptr<const Mark>&)> push) const {
    if (!checkpoint_) return {};
    WalkRests rests;
    rests.begin_at = checkpoint_->frontier();
    rests.due = [checkpoint = checkpoint_] { return checkpoint->due(); };
    rests.at_rest = [checkpoint = checkpoint_, shared = shared_, push = std::move(push),
                     marked = ErrorCounts{}](Rest rest) mutable {
        Mark mark = shared->mark(std::move(rest), marked);
        marked = mark.errors_so_far;
        mark.last = checkpoint->stopping();
        const bool go_on = !mark.last;
        checkpoint->marked(mark);
        push(std::make_shared<const Mark>(std::move(mark)));
        return go_on;
    };
    return rests;
}

void Report::rethrow_failure() const {
    if (const std::exception_ptr failure = walk_->failure()) std::rethrow_exception(failure);
    const int started = walk_->wait_started(std::chrono::nanoseconds(0)).value_or(0);
    if (started != 0) throw SystemError(started, walk_->top());
}

}  // namespace filetree
