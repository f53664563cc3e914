#pragma once

#include <memory>

#include "filetree/compare.hpp"
#include "job.hpp"
#include "shortage.hpp"

namespace filetree::compare {

// What a source is: one piece, on a thread of the pool's, as any look at it may hang.
class ProbeJob final : public Job {
   public:
    ProbeJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client, SourceRef source);

    // Once it has ended without a failure.
    [[nodiscard]] SourceKind kind() const noexcept { return kind_; }

   private:
    [[nodiscard]] Piece take() override;
    [[nodiscard]] bool has_more() const override { return !begun_; }
    void conclude() override {}

    void look();
    [[nodiscard]] bool is_directory() const;
    [[nodiscard]] bool is_archive() const;

    const std::shared_ptr<FileSystem> fs_;
    const std::shared_ptr<HttpClient> client_;
    const SourceRef source_;
    Shortage shortage_;
    bool begun_ = false;  // guarded by mutex_
    SourceKind kind_ = SourceKind::file;
};

}  // namespace filetree::compare
