#include "selection.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

namespace filetree::walk {
namespace {

void append_components(std::string_view path, std::vector<std::string>& out) {
    while (!path.empty()) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        const std::string_view component = path.substr(0, slash);
        if (!component.empty() && component != ".") out.emplace_back(component);
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
}

std::vector<std::string> absolute_components(const std::string& path) {
    std::vector<std::string> components;
    if (!path.starts_with('/')) {
        std::error_code error;
        append_components(std::filesystem::current_path(error).native(), components);
    }
    append_components(path, components);
    return components;
}

}  // namespace

bool ExcludedNames::excludes(std::string_view name) const noexcept {
    const auto found = children_.find(name);
    return found != children_.end() && found->second->excluded_;
}

const ExcludedNames* ExcludedNames::below(std::string_view name) const noexcept {
    const auto found = children_.find(name);
    return found != children_.end() ? found->second.get() : nullptr;
}

void ExcludedNames::add(const std::vector<std::string>& components) {
    ExcludedNames* node = this;
    for (const std::string& component : components) {
        auto& child = node->children_[component];
        if (!child) child = std::make_unique<ExcludedNames>();
        node = child.get();
    }
    node->excluded_ = true;
}

Selection::Selection(const WalkOptions& options, const std::string& top)
    : ignore_snapshots_(options.ignore_snapshots),
      one_file_system_(options.one_file_system),
      max_depth_(options.max_depth) {
    if (options.exclude.empty()) return;
    const std::vector<std::string> above = absolute_components(top);
    for (const std::string& path : options.exclude) {
        if (path.empty()) throw std::invalid_argument("exclude: a path is empty");
        std::vector<std::string> components = absolute_components(path);
        const auto [in_top, in_path] =
            std::mismatch(above.begin(), above.end(), components.begin(), components.end());
        if (in_top != above.end()) continue;  // outside the tree, or above the top
        if (in_path == components.end()) {
            throw std::invalid_argument("exclude: '" + path + "' is the top itself");
        }
        components.erase(components.begin(), in_path);
        if (!root_) root_ = std::make_unique<ExcludedNames>();
        root_->add(components);
    }
}

bool Selection::enters(const ExcludedNames* excluded, std::string_view name,
                       std::int32_t depth) const noexcept {
    if (ignore_snapshots_ && name == snapshot_name) return false;
    if (max_depth_ != 0 && depth >= max_depth_) return false;
    return excluded == nullptr || !excluded->excludes(name);
}

}  // namespace filetree::walk
